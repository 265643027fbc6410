"""Where a folder lies, by the table of mounts as Linux writes it."""

from pathlib import Path

import pytest

from obscura.storage.mounts import NEAR, kind_of

MOUNTS = """\
22 1 252:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /srv/photos rw,relatime shared:9 master:2 - nfs4 10.0.0.9:/photos rw,vers=4.2
31 30 0:41 / /srv/photos/here\\040too rw - tmpfs none rw
32 22 0:42 / /home rw - xfs /dev/vdb rw
33 22 0:43 / /home rw - fuse.sshfs far:/home rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib/photos", "ext4"),
        ("/srv/photos", "nfs4"),
        ("/srv/photos/results/a", "nfs4"),
        ("/srv/photos-of-others", "ext4"),
        ("/srv/photos/here too/a", "tmpfs"),
        ("/home/a", "fuse.sshfs"),
    ],
)
def test_the_deepest_and_latest_mount_tells(folder: str, kind: str) -> None:
    """A longer place covers a shorter one, a later mount an earlier one; names that begin alike do not."""
    assert kind_of(Path(folder), MOUNTS) == kind


def test_other_machines_are_not_near() -> None:
    """What waits for a network or for another process is not in the list; neither is what nobody knows."""
    assert NEAR.isdisjoint(
        {"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "virtiofs", "fuse", "fuse.sshfs", ""}
    )
    assert kind_of(Path("/a"), "") == ""
