"""Folders of images as other systems than this one have them."""

from __future__ import annotations

import ntpath
import os
from unittest import mock

import pytest
from fitgenerator.images.flows import directory


def test_O5_folders_are_in_the_order_of_linux_and_links_to_other_drives_are_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["top/a/b", "top/a-b", "top/a"]
    wanted = sorted(names)
    monkeypatch.setattr(directory, "os", mock.Mock(wraps=os, path=ntpath, sep="\\"))
    found = [(name.replace("/", "\\"), list[str]()) for name in names]
    assert [name.replace("\\", "/") for name, _ in sorted(found, key=directory._in_order)] == wanted
    real = {
        "C:\\a\\l": "D:\\x",
        "C:\\a\\junction": "C:\\",
        "C:\\a": "C:\\a",
        "C:\\a\\b": "C:\\a\\b",
    }
    with mock.patch.multiple(ntpath, islink=lambda _: False, realpath=real.get):
        assert not directory._leads_up("C:\\a\\l")
        assert directory._leads_up("C:\\a\\junction")
        assert not directory._leads_up("C:\\a\\b")
