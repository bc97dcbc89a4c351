"""A page as a browser shows it."""

import re
import shutil
import subprocess

import pytest


@pytest.fixture
def in_browser(tmp_path):
    """What Chromium finds on a page in a frame of a width: how wide its content wants to be, pictures, title."""

    def shown(page, width):
        browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if browser is None:
            pytest.skip("no Chromium on this machine; install it to check the page in a browser")
        probe = page.with_name("probe.html")
        probe.write_text(
            f"<iframe id=f src='{page.name}' style='width:{width}px;height:800px;border:0'></iframe><pre id=o></pre>"
            "<script>f.onload=()=>{const d=f.contentDocument;o.textContent='width='+d.documentElement.scrollWidth"
            "+' images='+[...d.images].filter(i=>i.naturalWidth).length+' title='+d.title}</script>"
        )
        flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --allow-file-access-from-files"
        command = [browser, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000"]
        found = subprocess.run([*command, "--dump-dom", probe.as_uri()], capture_output=True, text=True, timeout=120)
        seen = re.search(r"width=(\d+) images=(\d+) title=(.*)</pre>", found.stdout)
        assert seen, found.stderr[-500:]
        return int(seen[1]), int(seen[2]), seen[3]

    return shown
