"""What the study asks of its sample."""

import numpy as np
import pytest

from xaug.core.errors import DatasetError
from xaug.studies.vlq.sample import require_all_processes


def test_processes_that_a_split_lacks_are_named(write_dataset, event_columns, tmp_path):
    columns = event_columns()
    known = {name: {"events_generated": 4000} for name in set(columns["process"])}
    require_all_processes(write_dataset(tmp_path / "all", "events", columns, known))
    zz = columns["process"] == "zz"
    columns["split"] = np.where(zz & (columns["split"] == 1), 0, columns["split"]).astype(np.int8)
    lacking = write_dataset(tmp_path / "lacking", "events", columns, known)
    told = rf"process zz: {zz.sum()} of 4,000 generated events pass, none of them in the split validation\..*--events"
    with pytest.raises(DatasetError, match=told):
        require_all_processes(lacking)
