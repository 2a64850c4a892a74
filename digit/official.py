"""Names of the authors' released network (golden/official_state_dict.txt) and ours for the same tensors. No torch."""

import re
from collections.abc import Iterable

#: (theirs, ours), each a module's name with its dot.
_MODULES = (
    ("backbone.", "backbone."),
    ("hand_segm.segm_head.upsampler.up1.conv.double_conv.0.", "segmentation.1."),
    ("hand_segm.segm_head.upsampler.up1.conv.double_conv.1.", "segmentation.2."),
    ("hand_segm.segm_head.upsampler.up1.conv.double_conv.3.", "segmentation.4."),
    ("hand_segm.segm_head.upsampler.up1.conv.double_conv.4.", "segmentation.5."),
    ("hand_segm.segm_head.segm_net.double_conv.0.", "segmentation.7."),
    ("hand_segm.segm_head.segm_net.double_conv.1.", "segmentation.8."),
    ("hand_segm.segm_head.segm_net.double_conv.3.", "segmentation.10."),
    ("conv_segm_feat.", "semantic."),
    ("merge_layer.inc.double_conv.", "fusion.enter."),
    *((f"merge_layer.down{n}.maxpool_conv.1.double_conv.", f"fusion.down{n}.1.") for n in (1, 2, 3)),
    *((f"merge_layer.up{n}.conv.double_conv.", f"fusion.up{n}.") for n in (1, 2, 3)),
    ("merge_layer.outc.conv.", "fusion.leave."),
    ("conv_hm.", "estimator.heatmaps."),
    ("conv_depth.", "estimator.depth_maps."),
    ("conv_head.", "estimator.context."),
    ("root_fc.", "estimator.root_depth."),
    ("hand_fc.", "estimator.handedness."),
)
#: What the released file and its list of names put before most of them.
_PREFIX = re.compile(r"^(model\.)?(pose_reg\.)?")


def bare(name: str) -> str:
    """An official name without the prefixes that it may have."""
    return _PREFIX.sub("", name)


def ours_from_official(name: str) -> str:
    """Our name of an official one, with or without its prefixes; a name that is none of theirs stays."""
    return _renamed(bare(name), _MODULES)


def official_from_ours(name: str) -> str:
    """The bare official name of ours; a name that digit-w32 does not have stays."""
    return _renamed(name, ((ours, theirs) for theirs, ours in _MODULES))


def _renamed(name: str, modules: Iterable[tuple[str, str]]) -> str:
    return next((new + name.removeprefix(old) for old, new in modules if name.startswith(old)), name)
