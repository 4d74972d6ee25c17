/** `npm run house`: writes what is generated, then names every broken rule. `--check` writes nothing. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkPackages } from './rules/index.ts'
import { withTables } from './tables/readme.ts'
import { writeManifests } from './write-manifests.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const readmeFile = join(root, 'README.md')
const readme = readFileSync(readmeFile, 'utf8')
const wanted = withTables(readme, root)
const complaints: string[] = []

if (!process.argv.includes('--check')) {
  writeManifests(root)
  writeFileSync(readmeFile, wanted)
} else if (wanted !== readme) complaints.push('README.md: its tables are not current: npm run house')

for (const { package: name, rule, what } of checkPackages(root)) complaints.push(`${name}: ${rule}: ${what}`)
for (const complaint of complaints) console.error(complaint)
process.exitCode = complaints.length === 0 ? 0 : 1
