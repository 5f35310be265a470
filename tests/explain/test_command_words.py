"""Errors of the command give their advice in its options."""

import pytest

from xaug.core.errors import ModelError
from xaug.explain.command_words import as_flags, in_flags


@pytest.mark.parametrize(
    ("python", "command"),
    [
        ("Freeze it, with frozen=['x', 'y'], or explain", "Freeze it, with --frozen x,y, or explain"),
        ("Name one, as output='mass:value'", "Name one, as --output-kind mass:value"),
        ("with padding={'list': VALUE}; padding='free' takes", "with --padding list=VALUE; --padding free takes"),
        ("as it is by xaug.explain.integrated_gradients, or", "as it is by --method ig, or"),
        ("use engine='native', or rule='epsilon'", "use --engine native, or --rule epsilon"),
        ("layer 'x' (Dense) has dtype='float16'", "layer 'x' (Dense) has dtype='float16'"),
    ],
)
def test_arguments_become_options(python, command):
    assert as_flags(python) == command
    with pytest.raises(ModelError) as error, in_flags():
        raise ModelError(python)
    assert str(error.value) == command
