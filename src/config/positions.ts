import {
  CORE_SCHEMA,
  EVENT_ID,
  SCALAR_STYLE,
  getScalarValue,
  mergeTag,
  parseEvents,
  type ScalarEvent,
} from 'js-yaml'

export type Path = readonly (string | number)[]

/** The key below a repository, one of its environments or a task of theirs, whatever these are called; empty elsewhere. */
export function keyOfEnvironment(path: Path): string {
  if (path[0] !== 'repositories') return ''
  const inner = path.slice(path[2] === 'environments' ? 4 : 2)
  return (inner[0] === 'tasks' ? inner.slice(2) : inner).join('.')
}

/** Counted from 1, as editors do. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface Positions {
  /** Where the key (or the item of a list) stands; of a path that does not exist: where its nearest parent does. */
  at(path: Path): Position
  /** A text or number as it was written: `1.10`, where the document says 1.1. */
  written(path: Path): string | undefined
  /** Keys that stand twice in the same mapping, each with where the second one is. */
  readonly duplicates: readonly {
    readonly path: Path
    readonly position: Position
    readonly first: Position
  }[]
  /** Where an alias stands inside of what it names: a value without end. */
  readonly endless: readonly { readonly path: Path; readonly position: Position }[]
}

/** The schema that the positions are read with; keys are spelled as it would spell them. */
export const YAML_SCHEMA = CORE_SCHEMA.withTags(mergeTag)

/** Where each key and item of a YAML document stands, also through aliases and merge keys. Throws js-yaml's error on bad syntax. */
export function locate(text: string): Positions {
  const tree = createTree(text)
  const lines = lineStarts(text)
  const position = (offset: number): Position => positionIn(lines, offset)
  return {
    at: (path) => position(walk(tree.root, path).offset),
    written: (path) => walk(tree.root, path).place?.written,
    duplicates: tree.duplicates.map(({ path, offset, first }) => ({
      path,
      position: position(offset),
      first: position(first),
    })),
    endless: tree.endless.map(({ path, offset }) => ({ path, position: position(offset) })),
  }
}

/** One value of the document; an alias shares the place of what it names. */
interface Place {
  readonly keys: Map<string, { readonly offset: number; readonly place: Place }>
  readonly items: { readonly offset: number; readonly place: Place }[]
  /** The mappings that `<<` brings in; the first that has a key wins. */
  readonly merged: Place[]
  readonly written?: string
}

interface Frame {
  readonly kind: 'list' | 'mapping'
  readonly place: Place
  readonly start: number
  /** What was read as a key and waits for its value. */
  key: Key | undefined
  /** Puts the finished value where it belongs. */
  readonly put: (place: Place) => void
}

interface Key {
  readonly name: string
  readonly offset: number
  readonly isMerge: boolean
}

interface Tree {
  readonly root: Place
  readonly duplicates: { readonly path: Path; readonly offset: number; readonly first: number }[]
  readonly endless: { readonly path: Path; readonly offset: number }[]
}

const emptyPlace = (): Place => ({ keys: new Map(), items: [], merged: [] })

function createTree(text: string): Tree {
  const tree: Tree = { root: emptyPlace(), duplicates: [], endless: [] }
  const anchors = new Map<string, Place>()
  const stack: Frame[] = []

  const path = (): Path =>
    stack.flatMap(({ kind, key, place }) => (kind === 'list' ? place.items.length : (key?.name ?? [])))

  const putItem =
    ({ place: list, start }: Frame, offset: number) =>
    (place: Place): void =>
      void list.items.push({ offset: offset < 0 ? start : offset, place })

  const putValue = (frame: Frame, key: Key) => (place: Place) => {
    const { keys, merged } = frame.place
    const earlier = keys.get(key.name)
    frame.key = undefined
    if (key.isMerge)
      merged.push(...(place.items.length > 0 ? place.items.map((item) => item.place) : [place]))
    else keys.set(key.name, { offset: key.offset, place })
    if (earlier !== undefined)
      tree.duplicates.push({ path: [...path(), key.name], offset: key.offset, first: earlier.offset })
  }

  /** Where the next value belongs: to the key that waits, to the list, or it is the document. */
  const slot = (offset: number): ((place: Place) => void) => {
    const frame = stack.at(-1)
    if (frame === undefined) return (place) => void Object.assign(tree.root, place)
    if (frame.kind === 'list') return putItem(frame, offset)
    return frame.key === undefined ? () => {} : putValue(frame, frame.key) // a mapping as a key: the loader refuses it
  }

  const anchor = ({ anchorStart, anchorEnd }: Anchored, place: Place): Place => {
    if (anchorStart >= 0) anchors.set(text.slice(anchorStart, anchorEnd), place)
    return place
  }
  const open = (kind: Frame['kind'], event: Anchored & { start: number }): void => {
    const put = slot(event.start)
    stack.push({ kind, place: anchor(event, emptyPlace()), start: event.start, key: undefined, put })
  }
  const close = (): void => {
    const frame = stack.pop()
    frame?.put(frame.place)
  }
  const alias = ({ anchorStart, anchorEnd }: Anchored): void => {
    const place = anchors.get(text.slice(anchorStart, anchorEnd)) ?? emptyPlace()
    const offset = anchorStart - 1
    const isEndless = stack.some((frame) => frame.place === place)
    if (isEndless) tree.endless.push({ path: path(), offset })
    slot(offset)(isEndless ? emptyPlace() : place)
  }
  const scalar = (event: ScalarEvent): void => {
    const place = anchor(event, { ...emptyPlace(), written: getScalarValue(text, event) })
    const frame = stack.at(-1)
    if (frame?.kind === 'mapping' && frame.key === undefined) frame.key = keyOf(text, event)
    else slot(startOf(event))(place)
  }

  for (const event of parseEvents(text, {})) {
    if (event.type === EVENT_ID.MAPPING) open('mapping', event)
    else if (event.type === EVENT_ID.SEQUENCE) open('list', event)
    else if (event.type === EVENT_ID.POP) close()
    else if (event.type === EVENT_ID.ALIAS) alias(event)
    else if (event.type === EVENT_ID.SCALAR) scalar(event)
  }
  return tree
}

type Anchored = Pick<ScalarEvent, 'anchorStart' | 'anchorEnd'>

/** Plain keys are spelled as the loader spells them: `0x10:` is the key `16`. */
function keyOf(text: string, event: ScalarEvent): Key {
  const source = getScalarValue(text, event)
  const isPlain = event.style === SCALAR_STYLE.PLAIN && event.tagStart < 0
  return {
    name: isPlain ? String(YAML_SCHEMA.resolveImplicitScalarTag(source).value) : source,
    offset: Math.max(0, startOf(event)),
    isMerge: isPlain && source === '<<',
  }
}

/** With its quote. */
const startOf = ({ valueStart, style }: ScalarEvent): number =>
  style === SCALAR_STYLE.SINGLE_QUOTED || style === SCALAR_STYLE.DOUBLE_QUOTED ? valueStart - 1 : valueStart

/** As far as the path exists; `place` only where all of it does. */
function walk(root: Place, path: Path): { readonly offset: number; readonly place: Place | undefined } {
  let place = root
  let offset = 0
  for (const part of path) {
    const next = find(place, part)
    if (next === undefined) return { offset, place: undefined }
    ;({ place, offset } = next)
  }
  return { offset, place }
}

function find(place: Place, part: string | number): Place['items'][number] | undefined {
  const own = place.items[Number(part)] ?? place.keys.get(String(part))
  if (own !== undefined) return own
  for (const source of place.merged) {
    const found = find(source, part)
    if (found !== undefined) return found
  }
  return undefined
}

function lineStarts(text: string): number[] {
  return [0, ...[...text.matchAll(/\r\n?|\n/g)].map((end) => end.index + end[0].length)]
}

function positionIn(lines: readonly number[], offset: number): Position {
  const index = lines.findLastIndex((start) => start <= offset)
  return { line: index + 1, column: offset - (lines[index] ?? 0) + 1 }
}
