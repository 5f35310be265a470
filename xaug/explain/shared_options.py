"""Options that several methods have: their help texts, and what they need."""

__all__ = [
    "BASELINE_HELP", "BASELINE_NEED", "FROZEN_HELP", "GROUPS_HELP", "OUTPUT_HELP", "PADDING_HELP", "PER_PROCESS_HELP",
    "TARGET_HELP",
]  # fmt: skip

BASELINE_NEED = "a baseline to compare with"
BASELINE_HELP = (
    "Baseline: blank (zero after scaling), physical (zero before scaling), background (average over validation events "
    "of each process), weighted (the same by cross section), weighted_yield (the same by the number of events expected "
    "after the selection), background:CLASS (the same of a class that you name; weighted:CLASS likewise), "
    "background_mean, mean:CLASS or classes_mean (one event, the mean), event:ROW of the test split, or a file .npz or "
    ".h5 of scaled arrays by input name."
)
PER_PROCESS_HELP = "Events that an averaged baseline draws from each process."
GROUPS_HELP = (
    "Elements that are changed together: features (variables, the image, the list), inputs, columns, particles, or a "
    "YAML file of lists of inputs and columns by the name of the group."
)
TARGET_HELP = (
    "Class that is explained: predicted, signal, background, the name of a class, an index, or the log-odds of two "
    "classes (Hbb-QCD)."
)
OUTPUT_HELP = (
    "Output that is explained: logit (log-odds), probability, value (as it is, for regressions), or the name of one of "
    "several outputs (NAME or NAME:KIND)."
)
FROZEN_HELP = (
    "Inputs and columns, as list.charge,dxy, that have the values of the event at the baseline too: masks, one-hot "
    "columns, azimuths."
)
PADDING_HELP = (
    "Padded steps of the baseline: event (as Masking layers find them in the event), INPUT=VALUE for masks that the "
    "network makes otherwise, or free (its own)."
)
