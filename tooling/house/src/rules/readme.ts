import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Package, Violation } from '../workspace.ts'

const maxLines = 70

/** Every package explains itself in at most 70 lines under its own name. */
export function checkReadmes(packages: readonly Package[]): readonly Violation[] {
  return packages.flatMap(({ folder, manifest }) => {
    const file = join(folder, 'README.md')
    const broken = (what: string): Violation[] => [{ package: manifest.name, rule: 'README', what }]
    if (!existsSync(file)) return broken('there is none')
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    if (lines[0] !== `# ${manifest.name}`) return broken(`its first line must be "# ${manifest.name}"`)
    return lines.length > maxLines ? broken(`it has ${lines.length} lines, ${maxLines} are allowed`) : []
  })
}
