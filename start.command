#!/bin/bash
# Double-click starter for macOS (and Linux): looks for Python 3.11+, runs run.py, opens the result.
here=$(cd "$(dirname "$0")" && pwd)
for python in python3.13 python3.12 python3.11 python3; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        "$python" "$here/run.py" "$@"
        code=$?
        if [ "$code" -eq 0 ] && [ "$#" -eq 0 ]; then
            if command -v open >/dev/null; then open "$here/output/index.html"
            elif command -v xdg-open >/dev/null; then xdg-open "$here/output/index.html"; fi
        fi
        exit "$code"
    fi
done
echo "没有找到 Python 3.11 或更新的版本，请先安装。 / Python 3.11 or newer was not found: please install it." >&2
exit 4
