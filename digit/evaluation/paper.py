"""The paper's own figures, as printed in its tables 1-8 and in section 4.3 (DIGIT, 3DV 2021)."""

from dataclasses import dataclass

#: What a cell holds: a number, or text such as "66.80/91.95".
Cell = float | str | None


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One table as the paper prints it."""

    title: str
    corner: str  # heading of the first column
    columns: tuple[str, ...]
    rows: dict[str, tuple[Cell, ...]]
    note: str = ""


_MM = ("MPJPE Val", "MRRPE Val", "MPJPE Test", "MRRPE Test")
_MIOU_RANGES = ("[0.0, 0.2)", "[0.2, 0.4)", "[0.4, 0.6)", "[0.6, 0.8)", "[0.8, 1.0]")
#: Edges of Table 3's columns.
MIOU_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

TABLES: dict[str, PaperTable] = {
    "1": PaperTable(
        "Table 1. Comparison with the state of the art: interacting hands, mm (final release)",
        "Methods",
        _MM,
        {
            "InterHand2.6M [37]": (18.58, 35.64, 16.02, 32.57),
            "Baseline": (17.79, 33.90, 15.06, 31.36),
            "Ours": (16.72, 31.53, 14.27, 29.22),
            "% in improvement over [37]": (10.01, 11.53, 10.92, 10.29),
        },
        "Handedness AP (an accuracy) on the test set in the paper: InterHand2.6M 99.09, baseline 99.02, DIGIT 99.16 %.",
    ),
    "2": PaperTable(
        "Table 2. Effects of bone loss (BL), segm. loss (SL), and segm. features (SF): interacting hands, mm",
        "Ablation Study",
        _MM,
        {
            "Baseline": (21.91, 36.73, 18.71, 34.05),
            "Baseline + BL": (20.43, 38.84, 17.54, 37.36),
            "Baseline + BL + SL": (19.72, 34.51, 17.05, 32.10),
            "Baseline + BL + SF*": (20.31, 40.09, 17.60, 38.20),
            "Baseline + BL + SF (ours)": (19.05, 34.14, 16.55, 31.39),
        },
        "* without supervision of the segmentation.",
    ),
    "3": PaperTable(
        "Table 3. Models with or without segmentation: MPJPE (mm) and its standard deviation by mIoU of the parts",
        "mIoU range",
        _MIOU_RANGES,
        {
            "W/O segm.": ("42.0 ± 37.0", "22.1 ± 9.5", "18.7 ± 7.1", "15.8 ± 5.3", "12.6 ± 3.8"),
            "W/ segm.": ("43.3 ± 36.1", "20.9 ± 8.2", "17.1 ± 6.1", "14.6 ± 4.7", "11.8 ± 3.6"),
            "Difference": ("-1.3 ± 0.9", "1.2 ± 1.3", "1.6 ± 1.0", "1.2 ± 0.6", "0.8 ± 0.2"),
        },
    ),
    "4": PaperTable(
        "Table 4. Absolute 3D pose errors without root alignment, mm, single/interacting hands",
        "",
        ("InterHand2.6M [37]", "Baseline", "Ours"),
        {
            "Val": ("66.80/91.95", "66.32/92.71", "63.12/90.55"),
            "Test": ("70.66/83.81", "69.58/78.56", "68.00/77.28"),
        },
    ),
    "5": PaperTable(
        "Table 5. Single hands, mm (initial release)",
        "Methods",
        ("MPJPE Val", "MPJPE Test"),
        {
            "InterHand2.6M [37]": (14.82, 12.63),
            "Baseline": (14.64, 12.32),
            "Ours": (13.54, 11.32),
            "% in improvement over [37]": (8.64, 10.37),
        },
    ),
    "6": PaperTable(
        "Table 6. Comparison with the state of the art: interacting hands, mm (initial release)",
        "Methods",
        _MM,
        {
            "InterHand2.6M [37]": (20.59, 35.99, 17.36, 34.49),
            "Baseline": (20.24, 35.05, 17.23, 32.70),
            "Ours": (18.28, 32.21, 15.57, 30.51),
            "% in improvement over [37]": (11.22, 10.50, 10.31, 11.54),
        },
    ),
    "7": PaperTable(
        "Table 7. Probabilistic formulation and granularity of the segmentation: interacting hands, mm",
        "Ablation Study",
        ("MPJPE Val", "MPJPE Test"),
        {
            "Prob. part segm. (ours)": (20.01, 17.23),
            "Prob. LR segm.": (21.19, 18.40),
            "LR masks": (36.05, 31.46),
        },
    ),
    "8": PaperTable(
        "Table 8. Number of parameters, and memory for training at a batch size of 32",
        "",
        ("# Parameters", "Memory"),
        {
            "InterHand2.6M [37]": ("47.3 M", "13.8 Gb"),
            "Baseline": ("35.0 M", "8.5 Gb"),
            "Ours": ("40.0 M", "15.0 Gb"),
        },
        "The paper's memory is of a Quadro RTX 6000.",
    ),
    "tzionas": PaperTable(
        "Generalization (sec. 4.3): interacting hands of Tzionas et al., mm",
        "Methods",
        ("MPJPE Test",),
        {"Baseline": (17.37,), "Ours": (15.68,)},
        "The predictions are mapped onto the truth's skeleton with --skeleton (digit.evaluation.tzionas).",
    ),
}

#: What a variant (`digit.variants`) is called in the paper, by the tables that have such a row.
ROWS_OF_VARIANT: dict[str, tuple[str, ...]] = {
    "internet": ("InterHand2.6M [37]",),
    "baseline": ("Baseline", "W/O segm."),
    "baseline-bl": ("Baseline + BL", "Baseline", "W/O segm."),
    "baseline-bl-sl": ("Baseline + BL + SL",),
    "sf-unsupervised": ("Baseline + BL + SF*",),
    "digit-w32": ("Baseline + BL + SF (ours)", "Ours", "W/ segm."),
    "segm-to-pose": ("Prob. part segm. (ours)",),
    "lr-probabilistic": ("Prob. LR segm.",),
    "lr-mask": ("LR masks",),
}
