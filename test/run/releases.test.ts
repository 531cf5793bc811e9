import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import fc from 'fast-check'
import { describe, expect, inject, test } from 'vitest'

import {
  beginRelease,
  currentOf,
  currentRelease,
  folderOf,
  goodReleases,
  linkShared,
  markGood,
  nameRelease,
  prune,
  savedOf,
  mendCurrent,
  switchBack,
  switchCurrent,
  whatIsCurrent,
  type Releases,
} from '../../src/run/releases.ts'
import { copyFolder } from '../../src/run/synchronise.ts'
import { temporaryFolder } from '../support/running.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

const releasesIn = (path: string, given: Partial<Releases> = {}): Releases => ({
  path,
  keep: 3,
  shared: [],
  target: 'link',
  ...given,
})

async function begin(releases: Releases, number: number): Promise<string> {
  const release = await nameRelease(releases, number)
  await beginRelease(releases, release)
  return release
}

/** What a deployment does, up to one of its steps. */
async function deploy(
  releases: Releases,
  number: number,
  until: 'built' | 'current' | 'good' = 'good',
  at = number,
) {
  const release = await begin(releases, number)
  writeFileSync(join(folderOf(releases, release), 'version'), String(number))
  if (until === 'built') return release
  await switchCurrent(releases, release)
  if (until === 'current') return release
  await markGood(releases, { release, sha: `sha-${number}`, version: undefined, at })
  await prune(releases)
  return release
}

const namesIn = ({ path }: Releases): string[] =>
  readdirSync(join(path, 'releases'))
    .filter((name) => !name.startsWith('.'))
    .toSorted((one, other) => Number(one) - Number(other))

/** Does the work without the rights of root, who may do everything. */
async function asSomebody(folder: string, work: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return work()
  chownSync(folder, 65_534, 65_534)
  process.seteuid?.(65_534)
  try {
    await work()
  } finally {
    process.seteuid?.(0)
  }
}

test('a release becomes current by a relative link that moves with its folder', async () => {
  const path = join(temporaryFolder(), 'srv', 'shop')
  const releases = releasesIn(path)

  expect(await currentRelease(releases)).toBeUndefined()
  await deploy(releases, 1)
  await deploy(releases, 2)

  expect(readlinkSync(currentOf(releases))).toBe('releases/2')
  expect(await currentRelease(releases)).toBe('2')
  expect((await goodReleases(releases)).map(({ release, sha }) => [release, sha])).toEqual([
    ['2', 'sha-2'],
    ['1', 'sha-1'],
  ])
  renameSync(path, `${path}-moved`)
  expect(readFileSync(`${path}-moved/current/version`, 'utf8')).toBe('2')
  expect(readdirSync(`${path}-moved`).toSorted()).toEqual(['current', 'releases'])
})

test('only good releases count for how many are kept, and what was never finished goes when the next begins', async () => {
  const releases = releasesIn(temporaryFolder())
  await deploy(releases, 1)
  await deploy(releases, 2)
  await deploy(releases, 3)
  for (const broken of [4, 5, 6]) await deploy(releases, broken, 'built')
  expect(namesIn(releases)).toEqual(['1', '2', '3', '6'])

  await deploy(releases, 7, 'current') // the server died before it was noted
  await deploy(releases, 8, 'built')
  expect(namesIn(releases)).toEqual(['1', '2', '3', '7', '8'])
  expect(await currentRelease(releases)).toBe('7')

  await deploy(releases, 9)
  expect(namesIn(releases)).toEqual(['2', '3', '7', '9'])
  await deploy(releases, 10)
  expect(namesIn(releases)).toEqual(['3', '9', '10'])
})

test('whatever is done in whichever order, the current and the newest good release stay', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('built', 'current', 'good', 'back'), { maxLength: 12 }),
      fc.integer({ min: 1, max: 3 }),
      async (wishes, keep) => {
        const releases = releasesIn(temporaryFolder(), { keep })
        let number = 0
        for (const wish of wishes) {
          const before = await currentRelease(releases)
          if (wish === 'back') {
            const [, older] = await goodReleases(releases)
            if (older !== undefined) await switchCurrent(releases, older.release)
            await prune(releases)
          } else await deploy(releases, ++number, wish)
          const current = await currentRelease(releases)
          const good = await goodReleases(releases)
          if (before !== undefined || current !== undefined)
            expect(existsSync(join(currentOf(releases), 'version'))).toBe(true)
          if (wish === 'built') expect(current).toBe(before)
          if (wish === 'good') expect(good[0]?.release).toBe(String(number))
          expect(good.length).toBeLessThanOrEqual(keep + 1) // the current one may be older than those
        }
      },
    ),
    { numRuns: 25 },
  )
})

test('what became good last stays, also after releases that were made under a clock that was ahead', async () => {
  const releases = releasesIn(temporaryFolder(), { keep: 2 })
  await deploy(releases, 1, 'good', Date.parse('2040-01-01'))
  await deploy(releases, 2, 'good', Date.parse('2040-01-02'))

  for (const number of [3, 4, 5]) await deploy(releases, number, 'good', Date.parse('2026-01-01'))

  expect((await goodReleases(releases)).map(({ release }) => release)).toEqual(['5', '4'])
  expect(namesIn(releases)).toEqual(['4', '5'])
})

test('a number that is taken becomes another name: nothing that is good is written over', async () => {
  const releases = releasesIn(temporaryFolder())
  await deploy(releases, 1)

  expect(await deploy(releases, 1)).toBe('1.2')
  expect(await deploy(releases, 1)).toBe('1.3')
  expect(readFileSync(join(folderOf(releases, '1'), 'version'), 'utf8')).toBe('1')
})

test('what others have put among the releases is never removed, and no name of theirs is taken', async () => {
  const path = temporaryFolder()
  for (const name of ['3', '20260101120000', '20260102120000', 'precious'])
    mkdirSync(join(path, 'releases', name), { recursive: true })
  symlinkSync('releases/20260102120000', join(path, 'current'))
  const releases = releasesIn(path, { keep: 1 })

  await deploy(releases, 1, 'built')
  await deploy(releases, 2)

  expect(await deploy(releases, 3)).toBe('3.2')
  expect(readdirSync(join(path, 'releases')).toSorted()).toEqual([
    '.3.2.json',
    '20260101120000',
    '20260102120000',
    '3',
    '3.2',
    'precious',
  ])
})

test.skipIf(!inject('mounts'))(
  'what cannot be removed is told, and keeps nothing from beginning',
  async () => {
    const releases = releasesIn(temporaryFolder())
    await deploy(releases, 1, 'built')
    mountSmallDisk(join(folderOf(releases, '1'), 'of somebody else'))

    const told = await beginRelease(releases, '1')
    const again = await beginRelease(releases, '2')
    const names = namesIn(releases)
    const [, gone = ''] =
      /^(.*\/\.1\.[0-9a-f]{12}\.gone) cannot be removed: EBUSY: /.exec(told[0] ?? '') ?? []
    renameSync(gone, folderOf(releases, '1')) // from where it is unmounted

    expect(again).toEqual(told)
    expect(names).toEqual(['2'])
  },
)

test('whoever looks while it is switched sees one release or the other, whole', async () => {
  const releases = releasesIn(temporaryFolder())
  await deploy(releases, 1)
  await deploy(releases, 2)
  let isOver = false
  const seen = new Set<string>()
  const look = async (): Promise<void> => {
    while (!isOver) {
      seen.add(readFileSync(join(currentOf(releases), 'version'), 'utf8'))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const looking = look()
  for (let times = 0; times < 100; times += 1) await switchCurrent(releases, times % 2 === 0 ? '1' : '2')
  isOver = true
  await looking

  expect([...seen].toSorted()).toEqual(['1', '2'])
})

test('shared folders and files are linked in, in place of what the release brings', async () => {
  const path = temporaryFolder()
  const releases = releasesIn(path, { shared: ['.env', 'storage/', 'public/uploads/'] })
  mkdirSync(join(path, 'shared'))
  writeFileSync(join(path, 'shared/.env'), 'KEY=1')
  const release = await begin(releases, 1)
  const folder = folderOf(releases, release)
  mkdirSync(join(folder, 'storage/logs'), { recursive: true })
  writeFileSync(join(folder, 'storage/logs/.gitkeep'), '')
  writeFileSync(join(folder, '.env'), 'of the release')
  await linkShared(releases, release)

  expect(readFileSync(join(folder, '.env'), 'utf8')).toBe('KEY=1')
  expect(readlinkSync(join(folder, 'public/uploads'))).toBe('../../../shared/public/uploads')
  expect(existsSync(join(folder, 'storage/logs/.gitkeep'))).toBe(true)
  writeFileSync(join(folder, 'storage/kept'), 'by the first')

  const next = await begin(releases, 2)
  await linkShared(releases, next)
  await linkShared(releases, next)
  expect(readFileSync(join(folderOf(releases, next), 'storage/kept'), 'utf8')).toBe('by the first')
  await deploy(releases, 3)
  expect(readFileSync(join(path, 'shared/storage/kept'), 'utf8')).toBe('by the first')
})

test('a shared file that is not there, and a release whose links lead out, are refused by their names', async () => {
  const path = temporaryFolder()
  const outside = temporaryFolder()
  const releases = releasesIn(path, { shared: ['.env'] })
  const release = await begin(releases, 1)

  await expect(linkShared(releases, release)).rejects.toMatchObject({
    reason: 'release_failed',
    message: `There is no ${path}/shared/.env: put it there, or write ".env/", and a folder is made.`,
  })
  symlinkSync(outside, join(folderOf(releases, release), 'public'))
  await expect(linkShared({ ...releases, shared: ['public/uploads/'] }, release)).rejects.toMatchObject({
    reason: 'release_failed',
    message: 'public of the release leads out of it, so that nothing can be linked there.',
  })
  await expect(linkShared({ ...releases, shared: ['public/a/b/c/'] }, release)).rejects.toMatchObject({
    message: 'public of the release leads out of it, so that nothing can be linked there.',
  })
  expect(readdirSync(outside)).toEqual([])
})

test('what is shared is found also where the releases are behind a link, or their folders are', async () => {
  const path = temporaryFolder()
  symlinkSync(temporaryFolder(), join(path, 'releases')) // on a larger disk
  const releases = releasesIn(path, { shared: ['public/uploads/'] })
  const release = await begin(releases, 1)
  const folder = folderOf(releases, release)
  mkdirSync(join(folder, 'web/www'), { recursive: true })
  symlinkSync('web/www', join(folder, 'public'))
  await linkShared(releases, release)
  writeFileSync(join(path, 'shared/public/uploads/kept'), 'x')

  expect(readFileSync(join(folder, 'web/www/uploads/kept'), 'utf8')).toBe('x')
})

test('what stands where the link has to be is never removed', async () => {
  const path = temporaryFolder()
  const releases = releasesIn(path)
  mkdirSync(join(path, 'current'))
  writeFileSync(join(path, 'current/precious'), '')

  await expect(beginRelease(releases, '1')).rejects.toMatchObject({
    reason: 'release_failed',
    message: `${path}/current is no link: move it away, so that it can become one, or deploy with \`target: directory\`.`,
  })
  await expect(switchCurrent(releases, '1')).rejects.toMatchObject({ reason: 'release_failed' })
  expect(existsSync(join(path, 'current/precious'))).toBe(true)
})

test('one that somebody has removed is named when it is to be current again', async () => {
  const releases = releasesIn(temporaryFolder())
  const release = await deploy(releases, 1)
  rmSync(folderOf(releases, release), { recursive: true })

  await expect(switchCurrent(releases, release)).rejects.toMatchObject({
    reason: 'release_failed',
    message: `There is no ${releases.path}/releases/1 any more.`,
  })
})

test('a link of somebody else is replaced, and what it leads to is left alone', async () => {
  const path = temporaryFolder()
  const elsewhere = temporaryFolder()
  writeFileSync(join(elsewhere, 'precious'), '')
  symlinkSync(elsewhere, join(path, 'current'))
  const releases = releasesIn(path)

  expect(await currentRelease(releases)).toBeUndefined()
  await deploy(releases, 1)

  expect(readlinkSync(join(path, 'current'))).toBe('releases/1')
  expect(existsSync(join(elsewhere, 'precious'))).toBe(true)
})

test.each(['link', 'directory'] as const)(
  'a link of somebody else comes back where what took its place is not good (target: %s)',
  async (target) => {
    const path = temporaryFolder()
    const elsewhere = temporaryFolder()
    symlinkSync(elsewhere, join(path, 'current'))
    const releases = releasesIn(path, { target })
    const before = await whatIsCurrent(releases)

    await deploy(releases, 1, 'current')
    expect(readFileSync(join(path, 'current/version'), 'utf8')).toBe('1')
    await switchBack(releases, before ?? { release: undefined, link: undefined })

    expect(readlinkSync(join(path, 'current'))).toBe(elsewhere)
    expect(await currentRelease(releases)).toBeUndefined()
    await deploy(releases, 2)
    expect(readdirSync(path).filter((name) => name !== 'saved')).toEqual([
      ...(target === 'directory' ? ['.current.json'] : []),
      'current',
      'releases',
    ])
  },
)

test('what a crash has left beside them goes, and a note that broke off makes nothing good', async () => {
  const releases = releasesIn(temporaryFolder())
  await deploy(releases, 1)
  await deploy(releases, 2, 'built')
  symlinkSync('releases/2', join(releases.path, '.current.0123456789ab'))
  writeFileSync(join(releases.path, 'releases/.2.json.new'), '{"sha":')
  writeFileSync(join(releases.path, 'releases/.2.json'), '{"sha":')

  await deploy(releases, 3)

  expect(namesIn(releases)).toEqual(['1', '3'])
  expect(lstatSync(currentOf(releases)).isSymbolicLink()).toBe(true)
  expect(readdirSync(releases.path).toSorted()).toEqual(['current', 'releases'])
  expect(readdirSync(join(releases.path, 'releases')).toSorted()).toEqual(['.1.json', '.3.json', '1', '3'])
})

describe('target: directory', () => {
  const inFolder = (path: string) => releasesIn(path, { target: 'directory' })
  const version = (releases: Releases): string => readFileSync(join(currentOf(releases), 'version'), 'utf8')

  test('current is a folder that is made equal to each release; what was in it before is saved', async () => {
    const releases = inFolder(temporaryFolder())
    await deploy(releases, 1)
    writeFileSync(join(currentOf(releases), 'made by the application'), '')
    await deploy(releases, 2)

    expect(lstatSync(currentOf(releases)).isDirectory()).toBe(true)
    expect(await currentRelease(releases)).toBe('2')
    expect(readdirSync(currentOf(releases))).toEqual(['version'])
    expect(version(releases)).toBe('2')
    expect(readdirSync(savedOf(releases)).toSorted()).toEqual(['made by the application', 'version'])
    expect(readFileSync(join(savedOf(releases), 'version'), 'utf8')).toBe('1')
    expect((await goodReleases(releases)).map(({ release }) => release)).toEqual(['2', '1'])
  })

  test('a folder that was there before us is saved, and becomes the first release', async () => {
    const path = temporaryFolder()
    const releases = inFolder(path)
    mkdirSync(join(path, 'current'))
    writeFileSync(join(path, 'current/precious'), 'x')

    expect(await currentRelease(releases)).toBeUndefined()
    await deploy(releases, 1)

    expect(readdirSync(join(path, 'current'))).toEqual(['version'])
    expect(readFileSync(join(path, 'saved/precious'), 'utf8')).toBe('x')
  })

  test('what a crash has left between two releases is put back when the next one begins', async () => {
    const releases = inFolder(temporaryFolder())
    await deploy(releases, 1)
    await deploy(releases, 2)
    writeFileSync(join(currentOf(releases), 'version'), 'half of 3')
    writeFileSync(join(currentOf(releases), 'new in 3'), '')
    writeFileSync(join(savedOf(releases), 'version'), '2')
    writeFileSync(join(releases.path, '.switching.json'), '{"release":"3"}')

    await deploy(releases, 4, 'built')

    expect(version(releases)).toBe('2')
    expect(readdirSync(currentOf(releases))).toEqual(['version'])
    expect(await currentRelease(releases)).toBe('2')
    expect(existsSync(join(releases.path, '.switching.json'))).toBe(false)
  })

  test('going back to a good one after a crash saves nothing that was half done', async () => {
    const releases = inFolder(temporaryFolder())
    await deploy(releases, 1)
    await deploy(releases, 2)
    await copyFolder(currentOf(releases), savedOf(releases))
    writeFileSync(join(currentOf(releases), 'new in 3'), '')
    writeFileSync(join(releases.path, '.switching.json'), '{"release":"3","back":"2"}')

    await switchCurrent(releases, '1')
    expect(version(releases)).toBe('1')
    expect(readdirSync(savedOf(releases))).toEqual(['version'])
    await switchBack(releases, { release: '2', link: undefined })

    expect(version(releases)).toBe('2')
    expect(readdirSync(currentOf(releases))).toEqual(['version'])
  })

  test('a way back that a crash has cut short is gone to its end, by whoever comes first', async () => {
    const releases = inFolder(temporaryFolder())
    await deploy(releases, 1)
    await deploy(releases, 2, 'current')
    writeFileSync(join(currentOf(releases), 'version'), 'half of 1')
    writeFileSync(join(releases.path, '.switching.json'), '{"release":"1","back":"1"}')
    expect(await currentRelease(releases)).toBe('1')

    expect(await mendCurrent(releases)).toBe(true)

    expect(version(releases)).toBe('1')
    expect(await currentRelease(releases)).toBe('1')
    expect(await mendCurrent(releases)).toBe(false)
    await deploy(releases, 3)
    expect(namesIn(releases)).toEqual(['1', '3'])
  })

  test('a folder that its owner may not write to, as Go leaves them, keeps nothing from following it', async () => {
    const path = temporaryFolder()
    const release = async (number: number): Promise<void> => {
      await deploy(inFolder(path), number, 'built')
      const folder = join(path, 'releases', String(number), 'mod')
      mkdirSync(folder)
      writeFileSync(join(folder, String(number)), '')
      chmodSync(folder, 0o555)
      await switchCurrent(inFolder(path), String(number))
    }

    await asSomebody(path, async () => {
      await release(1)
      await release(2)
      await release(3)
    })

    expect(readdirSync(join(path, 'current/mod'))).toEqual(['3'])
    expect(lstatSync(join(path, 'current/mod')).mode & 0o777).toBe(0o555)
    expect(readdirSync(join(path, 'saved/mod'))).toEqual(['2'])
  })

  test('a link becomes a folder, and a folder does not become a link unasked', async () => {
    const path = temporaryFolder()
    await deploy(releasesIn(path), 1)
    await deploy(inFolder(path), 2)

    expect(lstatSync(join(path, 'current')).isDirectory()).toBe(true)
    expect(version(inFolder(path))).toBe('2')
    expect(readFileSync(join(path, 'releases/1/version'), 'utf8')).toBe('1')
    await expect(deploy(releasesIn(path), 3)).rejects.toMatchObject({ reason: 'release_failed' })
    expect(version(inFolder(path))).toBe('2')
  })

  test('shared things are linked by their whole path, which is right from both places', async () => {
    const path = temporaryFolder()
    const releases = releasesIn(path, { target: 'directory', shared: ['storage/'] })
    const release = await begin(releases, 1)
    await linkShared(releases, release)
    await switchCurrent(releases, release)
    writeFileSync(join(path, 'shared/storage/kept'), 'x')

    expect(readFileSync(join(path, 'current/storage/kept'), 'utf8')).toBe('x')
  })

  test.skipIf(!inject('mounts'))('a disk that fills up meanwhile leaves what was there before', async () => {
    const disk = mountSmallDisk(join(temporaryFolder(), 'disk'), { megabytes: 8 })
    const releases = inFolder(join(disk.folder, 'shop'))
    await deploy(releases, 1)
    const release = await deploy(releases, 2, 'built')
    for (const name of ['a', 'b', 'c'])
      writeFileSync(join(folderOf(releases, release), name), Buffer.alloc(500_000))
    disk.fill(700_000)

    await expect(switchCurrent(releases, release)).rejects.toMatchObject({
      reason: 'release_failed',
      message: `Nothing can be written to ${releases.path}: the disk is full.`,
    })

    expect(readdirSync(currentOf(releases))).toEqual(['version'])
    expect(version(releases)).toBe('1')
    expect(await currentRelease(releases)).toBe('1')
    disk.empty()
    await switchCurrent(releases, release)
    expect(readdirSync(currentOf(releases))).toEqual(['a', 'b', 'c', 'version'])

    disk.fill(1_200_000)
    await expect(switchCurrent(releases, '1')).rejects.toMatchObject({ reason: 'release_failed' })
    expect(readdirSync(releases.path)).not.toContain('saved.new') // it would keep the disk full
    expect(readdirSync(currentOf(releases))).toEqual(['a', 'b', 'c', 'version'])
  })
})

test('what somebody else keeps for themselves in the folder that is current is named', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'shop')
  const upload = join(path, 'current/upload')
  await asSomebody(folder, async () => {
    mkdirSync(join(path, 'current'), { recursive: true })
    writeFileSync(upload, '')
    const releases = releasesIn(path, { target: 'directory' })
    const release = await deploy(releases, 1, 'built')
    chmodSync(upload, 0)

    await expect(switchCurrent(releases, release)).rejects.toMatchObject({
      reason: 'release_failed',
      message: `Nothing can be written to ${path}: this user has no right to ${upload}.`,
    })
  })
})

test('a folder that may not be written is named', async () => {
  const path = join(temporaryFolder(), 'file', 'shop')
  writeFileSync(join(path, '..'), '')

  await expect(beginRelease(releasesIn(path), '1')).rejects.toMatchObject({
    reason: 'release_failed',
    message: expect.stringContaining(`Nothing can be written to ${path}: `),
  })
})

test.skipIf(!inject('mounts'))('a full or read-only disk is named, and what was current stays', async () => {
  const disk = mountSmallDisk(join(temporaryFolder(), 'disk'), { megabytes: 8 })
  const releases = releasesIn(join(disk.folder, 'shop'))
  await deploy(releases, 1)
  const release = await deploy(releases, 2, 'built')

  disk.setReadOnly(true)
  await expect(switchCurrent(releases, release)).rejects.toMatchObject({
    reason: 'release_failed',
    message: `Nothing can be written to ${releases.path}: the disk cannot be written.`,
  })
  disk.setReadOnly(false)
  disk.fill()
  await expect(
    markGood(releases, { release, sha: 'x'.repeat(8_000), version: undefined, at: 2 }),
  ).rejects.toMatchObject({
    reason: 'release_failed',
    message: `Nothing can be written to ${releases.path}: the disk is full.`,
  })

  expect(await currentRelease(releases)).toBe('1')
  expect(await goodReleases(releases)).toMatchObject([{ release: '1' }])

  disk.fill(600_000)
  mkdirSync(join(folderOf(releases, release), 'storage'))
  writeFileSync(join(folderOf(releases, release), 'storage/large'), Buffer.alloc(400_000))
  await expect(linkShared({ ...releases, shared: ['storage/'] }, release)).rejects.toMatchObject({
    reason: 'release_failed',
  })
  expect(readdirSync(join(releases.path, 'shared'))).toEqual([])
})
