import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type RootManifest, sharedFields } from '../manifest-shape.ts'
import type { Package, Violation } from '../workspace.ts'

/** Every manifest has the fields of the house; `npm run house` writes them. */
export function checkManifests(packages: readonly Package[], root: RootManifest): readonly Violation[] {
  return packages.flatMap((one) => {
    const { manifest, folder } = one
    const broken = (rule: string, what: string): Violation => ({ package: manifest.name, rule, what })
    const found = Object.entries(sharedFields(one, root))
      .filter(([field, wanted]) => !sameOrder(field, manifest[field], wanted))
      .map(([field, wanted]) => broken(`manifest field ${field}`, `it must be ${JSON.stringify(wanted)}`))
    if (!manifest.description) found.push(broken('manifest field description', 'it is missing'))
    if (manifest.private === true) found.push(broken('manifest field private', 'what lies in packages is published'))
    if (manifest.exports?.['.'] === undefined) found.push(broken('manifest field exports', 'it has no "." entry'))
    for (const file of manifest.files ?? []) {
      if (file !== 'dist' && !existsSync(join(folder, file))) found.push(broken('manifest field files', `no ${file}`))
    }
    return found
  })
}

// Conditions of `exports` are tried in their order, so there the order is part of the value.
function sameOrder(field: string, actual: unknown, wanted: unknown): boolean {
  return field === 'exports' ? JSON.stringify(actual) === JSON.stringify(wanted) : isDeepStrictEqual(actual, wanted)
}
