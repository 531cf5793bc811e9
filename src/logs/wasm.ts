/*
 * A small assembler for WebAssembly, with just what a loop of ours needs that looks at every byte of an output
 * (https://webassembly.github.io/spec/core/binary/). Written as expressions, it needs no compiler and no file of its own.
 */

/** Instructions, most of which leave a value for those that follow. */
export type Code = readonly number[]

/** A variable, by its number: parameters come first, then numbers, then vectors. */
type Local = number

export const i32 = (value: number): Code => [0x41, ...signed(value)]
export const get = (local: Local): Code => [0x20, local]
export const set = (local: Local, value: Code): Code => [...value, 0x21, local]
export const add = (one: Code, other: Code): Code => [...one, ...other, 0x6a]
export const subtract = (one: Code, other: Code): Code => [...one, ...other, 0x6b]
export const isLess = (one: Code, other: Code): Code => [...one, ...other, 0x49]
const isZero = (value: Code): Code => [...value, 0x45]
export const isNotZero = (value: Code): Code => isZero(isZero(value))
export const and = (one: Code, other: Code): Code => [...one, ...other, 0x71]
export const multiply = (one: Code, other: Code): Code => [...one, ...other, 0x6c]
export const shiftLeft = (value: Code, bits: number): Code => [...value, ...i32(bits), 0x74]
export const shiftRight = (value: Code, bits: number): Code => [...value, ...i32(bits), 0x76]
export const trailingZeros = (value: Code): Code => [...value, 0x68]

/** What is read lies so many bytes after the place. */
export const loadByte = (at: Code, after = 0): Code => [...at, 0x2d, 0x00, ...unsigned(after)]
/** Two bytes as a number, the first is the lower one. */
export const loadPair = (at: Code, after = 0): Code => [...at, 0x2f, 0x00, ...unsigned(after)]
export const loadNumber = (at: Code): Code => [...at, 0x28, 0x00, 0x00]
export const storeNumber = (at: Code, value: Code): Code => [...at, ...value, 0x36, 0x00, 0x00]

/** Vectors are sixteen bytes. */
export const load = (at: Code): Code => [...at, 0xfd, 0x00, 0x00, 0x00]
export const store = (at: Code, vector: Code): Code => [...at, ...vector, 0xfd, 0x0b, 0x00, 0x00]
export const sixteenOf = (byte: number): Code => [...i32(byte), 0xfd, 0x0f]
/** All bits of the bytes that are equal. */
export const equalBytes = (one: Code, other: Code): Code => [...one, ...other, 0xfd, 0x23]
/** A number of the highest bit of each byte. */
export const highestBits = (vector: Code): Code => [...vector, 0xfd, 0x64]

export const when = (condition: Code, body: readonly Code[], otherwise: readonly Code[] = []): Code => {
  const others = otherwise.length === 0 ? [] : [ELSE, ...otherwise.flat()]
  return [...condition, 0x04, EMPTY, ...body.flat(), ...others, END]
}
/** Goes through the body once, and again as long as the condition holds after it. */
export const repeatWhile = (condition: Code, body: readonly Code[]): Code => {
  const nearest = 0
  return [0x03, EMPTY, ...body.flat(), ...condition, 0x0d, nearest, END]
}

/** A function of numbers that answers the number which its body leaves. */
export interface Routine {
  readonly parameters: number
  readonly numbers: number
  readonly vectors: number
  readonly body: readonly Code[]
}

/** What an assembled function answers for these numbers. */
export type Run = (...values: number[]) => number

/** All that functions read and write. */
export interface Memory {
  readonly bytes: Buffer
  /** Makes a function of it. Throws where it has vectors and the processor none. */
  assemble(routine: Routine): Run
}

/** Makes a memory of so many bytes at least. */
export function createMemory(bytes: number): Memory {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) })
  return {
    bytes: Buffer.from(memory.buffer),
    assemble: (routine) =>
      new WebAssembly.Instance(new WebAssembly.Module(moduleOf(routine)), { '': { memory } }).exports.run,
  }
}

/** The types of Node leave it out. */
declare const WebAssembly: {
  readonly Memory: new (limits: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly run: Run } }
}

const PAGE_BYTES = 65_536
const EMPTY = 0x40
const ELSE = 0x05
const END = 0x0b
const I32 = 0x7f
const V128 = 0x7b
const FUNCTION = 0x60

function moduleOf({ parameters, numbers, vectors, body }: Routine): Uint8Array<ArrayBuffer> {
  const type = [FUNCTION, ...list(Array.from({ length: parameters }, () => [I32])), ...list([[I32]])]
  // Where the processor has no vectors, a routine must not even name them.
  const locals = list([[numbers, I32], ...(vectors === 0 ? [] : [[vectors, V128]])])
  const code = [...locals, ...body.flat(), END]
  const magicAndVersion = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
  const [ofFunctions, ofMemories] = [0x00, 0x02]
  const atLeastOnePage = [0x00, 0x01]
  return Uint8Array.from([
    ...magicAndVersion,
    ...section(1, [type]),
    ...section(2, [[...name(''), ...name('memory'), ofMemories, ...atLeastOnePage]]),
    ...section(3, [[0]]), // one function, of the first type
    ...section(7, [[...name('run'), ofFunctions, 0]]),
    ...section(10, [[...unsigned(code.length), ...code]]),
  ])
}

function section(id: number, entries: readonly Code[]): Code {
  const content = list(entries)
  return [id, ...unsigned(content.length), ...content]
}

const list = (entries: readonly Code[]): Code => [...unsigned(entries.length), ...entries.flat()]
const name = (text: string): Code => [...unsigned(text.length), ...Buffer.from(text)]

/** LEB128, as all numbers are in it. */
const unsigned = (value: number): Code =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
const signed = (value: number): Code =>
  value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]
