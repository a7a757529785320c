@echo off
rem Double-click starter. Looks for Python 3.11+, runs run.py, opens the result. UTF-8 for the two Chinese lines.
chcp 65001 >nul
setlocal
set "PY="
for %%V in (3.13 3.12 3.11 3.14) do if not defined PY py -%%V -c "" >nul 2>nul && set "PY=py -%%V"
if not defined PY python -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul && set "PY=python"
if not defined PY goto nopython
%PY% "%~dp0run.py" %*
set "CODE=%ERRORLEVEL%"
if "%~1"=="" if "%CODE%"=="0" start "" "%~dp0output\index.html"
if not "%CODE%"=="0" echo 没有成功，请看上面的提示。 / Not done: see the message above.
pause
exit /b %CODE%
:nopython
echo 没有找到 Python 3.11 或更新的版本，请先安装（安装时勾选 Add to PATH），再双击本文件。
echo Python 3.11 or newer was not found: install it (tick "Add to PATH") and try again.
pause
exit /b 4
