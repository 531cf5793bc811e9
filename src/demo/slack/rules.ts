/** Why Slack turns a message down: a status and one plain word. */
export interface SlackRefusal {
  readonly status: number
  readonly word: string
}

type Json = Readonly<Record<string, unknown>>

/** The first of Slack's rules that a message breaks. https://docs.slack.dev/reference/block-kit/blocks */
export function refusalOf({ text, blocks, attachments }: Json): SlackRefusal | undefined {
  if (text !== undefined && typeof text !== 'string') return { status: 400, word: 'invalid_payload' }
  if (blocks !== undefined && !areBlocks(blocks)) return { status: 400, word: 'invalid_blocks' }
  if (blocks !== undefined && lengthOf(blocks) > 13_200) return { status: 400, word: 'msg_blocks_too_long' }
  if (Array.isArray(attachments) && attachments.length > 100)
    return { status: 400, word: 'too_many_attachments' }
  const isEmpty = [text, blocks, attachments].every(
    (part) => part === undefined || (part as string).length === 0,
  )
  return isEmpty ? { status: 400, word: 'no_text' } : undefined
}

function areBlocks(blocks: unknown): boolean {
  if (!Array.isArray(blocks) || blocks.length > 50) return false
  const ids = blocks.flatMap((block) =>
    isJson(block) && block['block_id'] !== undefined ? [block['block_id']] : [],
  )
  return blocks.every(isBlock) && new Set(ids).size === ids.length
}

const BLOCKS: Readonly<Record<string, (block: Json) => boolean>> = {
  section: ({ text, fields, accessory }) =>
    (text !== undefined || fields !== undefined) &&
    (text === undefined || isText(text, 3_000)) &&
    (fields === undefined || isList(fields, 10, (field) => isText(field, 2_000))) &&
    (accessory === undefined || isJson(accessory)),
  header: ({ text }) => isText(text, 150) && text['type'] === 'plain_text',
  context: ({ elements }) => isList(elements, 10, (one) => isText(one, 3_000) || isImage(one)),
  actions: ({ elements }) => isList(elements, 25, isElement),
  divider: () => true,
  image: isImage,
  markdown: ({ text }) => typeof text === 'string' && text.length > 0 && text.length <= 12_000,
  rich_text: ({ elements }) => isList(elements, 100, isJson),
}

function isBlock(block: unknown): boolean {
  if (!isJson(block) || typeof block['type'] !== 'string') return false
  const id = block['block_id']
  if (id !== undefined && (typeof id !== 'string' || id.length > 255)) return false
  return BLOCKS[block['type']]?.(block) ?? false
}

function isElement(element: unknown): boolean {
  if (!isJson(element) || element['type'] !== 'button') return isJson(element)
  const { text, url } = element
  return isText(text, 75) && text['type'] === 'plain_text' && (url === undefined || isUrl(url))
}

function isText(value: unknown, most: number): value is Json {
  if (!isJson(value) || (value['type'] !== 'mrkdwn' && value['type'] !== 'plain_text')) return false
  const { text } = value
  return typeof text === 'string' && text.length > 0 && text.length <= most
}

function isImage(value: unknown): boolean {
  return (
    isJson(value) &&
    value['type'] === 'image' &&
    isUrl(value['image_url']) &&
    typeof value['alt_text'] === 'string'
  )
}

const isUrl = (value: unknown): boolean =>
  typeof value === 'string' && URL.canParse(value) && value.length <= 3_000

const isList = (value: unknown, most: number, fits: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length > 0 && value.length <= most && value.every(fits)

const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** All the text in the blocks together. */
function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + lengthOf(one), 0)
  if (!isJson(value)) return 0
  return Object.entries(value).reduce(
    (sum, [key, one]) => sum + (key === 'text' && typeof one === 'string' ? one.length : lengthOf(one)),
    0,
  )
}
