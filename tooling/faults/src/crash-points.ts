import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

/** A crash point as it stands in the source of a package. */
export interface CrashPoint {
  readonly name: string
  /** From the root, with slashes. */
  readonly file: string
}

/** Every `crashPoint('…')` of the packages below a root. */
export function findCrashPoints(root: string): readonly CrashPoint[] {
  const folder = join(root, 'packages')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && file.split(sep).includes('src') && !file.split(sep).includes('node_modules'),
  )
  return files.flatMap((file) => {
    const path = join(folder, file)
    const source = readFileSync(path, 'utf8')
    return [...source.matchAll(/(?<!function )\bcrashPoint\((?:'([^']+)'\))?/g)].map((match) => ({
      // No list has this one, so that a point without a name of its own fails the test.
      name: match[1] ?? 'not a literal name',
      file: relative(root, path).split(sep).join('/'),
    }))
  })
}
