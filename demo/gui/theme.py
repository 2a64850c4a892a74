"""The dark look of the window: colours, fonts, spacing and one style sheet."""

from PyQt6.QtGui import QColor, QFont, QPalette
from PyQt6.QtWidgets import QApplication

#: Colours, from the back to the front.
GROUND = "#0f1216"
PANEL = "#171b21"
RAISED = "#20262e"
LINE = "#2c343e"
TEXT = "#e6eaf0"
MUTED = "#8e99a8"
FAINT = "#5a6472"
ACCENT = "#4cc2b0"
WARNING = "#e0b050"
ERROR = "#e5636a"

#: One unit of spacing, in device-independent pixels.
UNIT = 8

FONTS = ["Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "Cantarell", "DejaVu Sans"]

STYLE = f"""
* {{ outline: 0; }}
QWidget {{ color: {TEXT}; }}
QMainWindow, QWidget#central {{ background: {GROUND}; }}
QFrame#panel {{ background: {PANEL}; border: 1px solid {LINE}; border-radius: 8px; }}
QLabel {{ background: transparent; }}
QLabel#brand {{ font-size: 16px; font-weight: 600; }}
QLabel#muted, QLabel#caption {{ color: {MUTED}; }}
QLabel#caption {{ font-size: 11px; }}
QLabel#hud {{ color: {MUTED}; font-size: 12px; }}
QPushButton, QToolButton, QComboBox {{
    background: {RAISED}; border: 1px solid {LINE}; border-radius: 6px; min-height: 28px; padding: 0 10px;
}}
QPushButton:hover, QToolButton:hover, QComboBox:hover {{ border-color: {MUTED}; }}
QPushButton:focus, QToolButton:focus, QComboBox:focus {{ border-color: {ACCENT}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {LINE}; }}
QPushButton:checked, QToolButton:checked {{ background: #1d3b3a; border-color: {ACCENT}; color: {TEXT}; }}
QPushButton:disabled, QToolButton:disabled, QComboBox:disabled {{ color: {FAINT}; }}
QCheckBox::indicator {{
    width: 14px; height: 14px; border-radius: 4px; border: 1px solid {MUTED}; background: {GROUND};
}}
QCheckBox::indicator:focus {{ border-color: {ACCENT}; }}
QCheckBox::indicator:checked {{ background: {ACCENT}; border-color: {ACCENT}; }}
QLineEdit {{ background: {GROUND}; border: 1px solid {LINE}; border-radius: 6px; min-height: 26px; padding: 0 8px; }}
QLineEdit:focus {{ border-color: {ACCENT}; }}
QComboBox {{ padding-right: 6px; }}
QComboBox::drop-down {{ border: 0; width: 22px; }}
QComboBox QAbstractItemView {{
    background: {RAISED}; border: 1px solid {LINE}; padding: 4px; selection-background-color: #1d3b3a;
    selection-color: {TEXT};
}}
QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {LINE}; }}
QSlider::sub-page:horizontal {{ height: 4px; border-radius: 2px; background: {ACCENT}; }}
QSlider::handle:horizontal {{ width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: {TEXT}; }}
QSlider::handle:horizontal:focus {{ background: {ACCENT}; }}
QMenu {{ background: {RAISED}; border: 1px solid {LINE}; padding: 4px; }}
QMenu::item {{ padding: 5px 14px; border-radius: 4px; }}
QMenu::item:selected {{ background: #1d3b3a; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {LINE}; padding: 4px; }}
QFrame#banner {{ border-radius: 6px; background: #3a3120; border: 1px solid {WARNING}; }}
QFrame#banner[kind="error"] {{ background: #41232a; border-color: {ERROR}; }}
QFrame#banner[kind="progress"] {{ background: #1b3134; border-color: {ACCENT}; }}
QFrame#banner QToolButton {{ background: transparent; border: 0; min-height: 20px; padding: 0 6px; }}
"""


def palette() -> QPalette:
    """The application's palette; what the style sheet leaves (file dialogs, menus) is dark too."""
    roles = {
        QPalette.ColorRole.Window: PANEL,
        QPalette.ColorRole.Base: GROUND,
        QPalette.ColorRole.AlternateBase: PANEL,
        QPalette.ColorRole.Button: RAISED,
        QPalette.ColorRole.WindowText: TEXT,
        QPalette.ColorRole.Text: TEXT,
        QPalette.ColorRole.ButtonText: TEXT,
        QPalette.ColorRole.ToolTipBase: RAISED,
        QPalette.ColorRole.ToolTipText: TEXT,
        QPalette.ColorRole.PlaceholderText: MUTED,
        QPalette.ColorRole.Highlight: ACCENT,
        QPalette.ColorRole.HighlightedText: GROUND,
        QPalette.ColorRole.Link: ACCENT,
    }
    dark = QPalette()
    for role, color in roles.items():
        dark.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        dark.setColor(QPalette.ColorGroup.Disabled, role, QColor(FAINT))
    return dark


def apply(app: QApplication) -> None:
    """Dress the whole application."""
    app.setStyle("Fusion")  # the one style that looks the same everywhere and honours the palette
    app.setPalette(palette())
    font = QFont()
    font.setFamilies(FONTS)
    font.setPixelSize(13)
    app.setFont(font)
