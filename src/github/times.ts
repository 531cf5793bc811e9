/** A moment as GitHub writes its times: without the milliseconds. */
export const wholeSeconds = (at: number): number => Math.floor(at / 1000) * 1000
