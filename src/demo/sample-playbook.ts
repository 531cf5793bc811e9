import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const INVENTORY = `web1
web2

[all:vars]
ansible_connection=local
ansible_python_interpreter=auto_silent
ansible_remote_tmp={{ playbook_dir }}/tmp
home={{ playbook_dir }}/{{ inventory_hostname }}
`

const PLAYBOOK = `- name: Open the shop on every machine
  hosts: all
  gather_facts: false
  tasks:
    - name: Make room
      file: { path: "{{ home }}", state: directory, mode: "0755" }
    - name: Put the page in place
      copy:
        content: "The shop, {{ ferryman.sha }}, for {{ ferryman.actor }}\\n"
        dest: "{{ home }}/index.html"
        mode: "0644"
    - name: Say which commit is there
      set_stats:
        data: { ferryman_deployed_sha: "{{ ferryman.sha }}" }
        per_host: true
`

/** Writes a small playbook for two machines, both of them this one, below an existing directory; answers its folder. */
export async function createSamplePlaybook(directory: string): Promise<string> {
  const folder = join(directory, 'machines')
  await mkdir(folder)
  await writeFile(join(folder, 'hosts.ini'), INVENTORY)
  await writeFile(join(folder, 'site.yml'), PLAYBOOK)
  return folder
}
