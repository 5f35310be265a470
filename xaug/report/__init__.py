"""Stage `report`: runs and attributions to figures, tables and one self-contained page."""
