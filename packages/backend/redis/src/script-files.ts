import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A Lua script as shipped; its text never changes at run time. */
export interface Script {
  readonly source: string
  /** What EVALSHA calls it. */
  readonly sha1: string
}

/** Reads the named `scripts/<name>.lua` of the package that the module belongs to. */
export function readScripts<const Name extends string>(
  moduleUrl: string,
  names: readonly Name[],
): Readonly<Record<Name, Script>> {
  const folder = findFolder(dirname(fileURLToPath(moduleUrl)))
  const existing = readdirSync(folder)
  return Object.fromEntries(
    names.map((name) => {
      if (!existing.includes(`${name}.lua`)) throw new Error(`The script ${name}.lua is missing in ${folder}`)
      const source = readFileSync(join(folder, `${name}.lua`), 'utf8').replaceAll('\r\n', '\n')
      return [name, { source, sha1: createHash('sha1').update(source).digest('hex') }]
    }),
  ) as Record<Name, Script>
}

// Sources, the ESM build and the CommonJS build lie at different depths below the package.
function findFolder(start: string): string {
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'scripts')
    if (existsSync(candidate)) return candidate
    if (existsSync(join(folder, 'package.json')) && !/[\\/]dist[\\/]?/.test(folder)) break
  }
  throw new Error(`No scripts folder above ${start}: leave packages that read scripts out of a bundle`)
}
