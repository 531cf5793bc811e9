import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, inject, onTestFinished, test } from 'vitest'

import { watchRoom } from '../src/room.ts'
import { temporaryFolder } from './support/running.ts'
import { mountSmallDisk } from './support/small-disk.ts'

test.skipIf(!inject('mounts'))(
  'a disk on which few files can be made is full, however much room it has',
  async () => {
    const { folder } = mountSmallDisk(join(temporaryFolder(), 'disk'), { files: 120 })
    const said: string[] = []
    const say = (event: string, fields: object = {}) => void said.push(`${event} ${JSON.stringify(fields)}`)
    let made = 0
    const room = watchRoom({
      folders: [folder],
      journal: { info: say, warn: say, error: say },
      made: () => (made += 1),
    })
    onTestFinished(room.stop)
    const file = (index: number): string => join(folder, String(index))

    await room.look()
    expect(room.lack).toBeUndefined()
    for (let index = 0; index < 30; index += 1) writeFileSync(file(index), '')
    await room.look()
    expect(room.lack).toBe('disk_full')
    for (let index = 0; index < 30; index += 1) rmSync(file(index))
    await room.look()

    expect([room.lack, made]).toEqual([undefined, 1])
    expect(said).toEqual([
      expect.stringMatching(
        /^disk:full .*"megabytes":6\d,"files":\d\d,"hint":"Nothing is begun until 32 MB and 100 files are free\."/,
      ),
      expect.stringMatching(/^disk:has-room \{"megabytes":6\d\}$/),
    ])
  },
)
