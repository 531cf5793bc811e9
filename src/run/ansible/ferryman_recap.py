"""Tells Ferryman how the hosts of a playbook fared, whatever Ansible prints.

Ansible loads this beside its own callbacks. It writes one JSON file: when the first play begins, and again with the
recap at the end, so that no task can put a recap of its own in its place.
"""
import json
import os

from ansible.plugins import callback
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: ferryman_recap
type: notification
short_description: Tells Ferryman how the hosts of a playbook fared
description: Writes the recap as JSON to the file named by FERRYMAN_RECAP_FILE.
"""

COMMIT = 'ferryman_deployed_sha'
LONGEST = 16000
WIDEST = 2 ** 31 - 1


class WholeLines:
    """YAML as it is, but that no text is folded: of a secret that is broken in two, nobody knows the halves."""

    def __init__(self, yaml):
        self._yaml = yaml

    def __getattr__(self, name):
        return getattr(self._yaml, name)

    def dump(self, *values, **settings):
        return self._yaml.dump(*values, **dict(settings, width=WIDEST))


if hasattr(callback, 'yaml'):
    callback.yaml = WholeLines(callback.yaml)  # callback_result_format = yaml


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'ferryman_recap'

    def __init__(self):
        super(CallbackModule, self).__init__()
        # Taken away, so that no task learns where it is.
        self._file = os.environ.pop('FERRYMAN_RECAP_FILE', None)
        self._problems = {}
        self._plays = 0
        self._unmatched = 0

    def v2_playbook_on_play_start(self, play):
        self._plays += 1
        self._write({'hosts': None, 'commits': [], 'matched': False})

    def v2_playbook_on_no_hosts_matched(self):
        self._unmatched += 1

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._note(result)

    def v2_runner_on_unreachable(self, result):
        self._note(result)

    def v2_playbook_on_stats(self, stats):
        hosts = [self._host(name, stats.summarize(name)) for name in sorted(stats.processed)]
        reported = [values.get(COMMIT) for values in stats.custom.values() if isinstance(values, dict)]
        commits = sorted(set(str(one) for one in reported if one is not None))
        self._write({'hosts': hosts, 'commits': commits, 'matched': self._plays > self._unmatched})

    def _host(self, name, counts):
        return {
            'name': name,
            'ok': counts['ok'],
            'changed': counts['changed'],
            'unreachable': counts['unreachable'],
            'failed': counts['failures'],
            'problem': self._problems.get(name),
        }

    def _note(self, result):
        """Later failures come from what was rescued, or tried again: the last one is why the host is out."""
        host = result.host if hasattr(result, 'host') else result._host
        values = result.result if hasattr(result, 'result') else result._result
        self._problems[host.get_name()] = words_of(values)

    def _write(self, content):
        if self._file is None:
            return
        temporary = self._file + '.new'
        with open(temporary, 'w') as file:
            json.dump(content, file)
        os.replace(temporary, self._file)


def words_of(values):
    """What a failed result says, a loop by its first failed item. Ansible has taken out what is under no_log."""
    for item in values.get('results') or []:
        if isinstance(item, dict) and (item.get('failed') or item.get('unreachable')):
            return words_of(item)
    if values.get('censored'):
        return {'msg': str(values['censored'])}
    keys = ('msg', 'reason', 'stderr', 'stdout', 'module_stderr', 'module_stdout')
    return {key: part_of(str(values[key])) for key in keys if values.get(key)}


def part_of(text):
    """The end in whole lines, since of a secret that is cut in two nobody would know the rest; of one long line its beginning."""
    if len(text) <= LONGEST:
        return text
    end = text[-LONGEST:].partition('\n')[2]
    if end.strip():
        return end
    beginning = text[:LONGEST]
    return beginning.rpartition('\n')[0] or beginning
