import { zoneNames } from '../schedule/zones.ts'
import { closest } from './closest.ts'

/** The time zone that somebody probably meant, who may have named its city alone: `berlin`, `New York`. */
export function closestZone(word: string): string | undefined {
  const names = zoneNames()
  const written = word.trim().replaceAll(' ', '_')
  const byCity = new Map(names.map((name) => [name.slice(name.lastIndexOf('/') + 1), name]))
  return closest(written, names) ?? byCity.get(closest(written, byCity.keys()) ?? '')
}
