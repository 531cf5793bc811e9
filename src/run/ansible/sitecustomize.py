"""Keeps Ansible from breaking its warnings into lines: of a secret that is broken in two, nobody knows the halves.

Python loads this by itself when it starts, since PYTHONPATH names its folder: before Ansible reads an inventory, and in
ansible-galaxy, too. What else wraps texts, as the filter `wordwrap` does, still does.
"""
import os
import sys
import textwrap

_wrap = textwrap.wrap


def _whole(text, *args, **settings):
    if sys._getframe(1).f_globals.get('__name__') == 'ansible.utils.display':
        return [text]
    return _wrap(text, *args, **settings)


def _is_elsewhere(path):
    return os.path.realpath(path) != os.path.dirname(os.path.realpath(__file__))


textwrap.wrap = _whole

# Nothing that Ansible starts learns of this folder, and one of the same name that was hidden by it is loaded as well.
_rest = [path for path in os.environ.pop('PYTHONPATH', '').split(os.pathsep) if path and _is_elsewhere(path)]
if _rest:
    os.environ['PYTHONPATH'] = os.pathsep.join(_rest)
sys.path[:] = [path for path in sys.path if _is_elsewhere(path)]
sys.modules.pop('sitecustomize', None)
try:
    import sitecustomize  # noqa: F401
except ImportError:
    pass
