import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

interface Manifest {
  readonly files?: readonly string[]
  readonly dependencies?: Readonly<Record<string, string>>
}

/** What installing a package brings: its files and those of everything it depends on, each once. */
export function installedBytes(name: string, from: string): number {
  const counted = new Set<string>()
  const add = (wanted: string, beside: string): number => {
    const folder = folderOf(wanted, beside)
    if (folder === undefined || counted.has(folder)) return 0
    counted.add(folder)
    const { files, dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
    // A package of this workspace lies there with its sources and tests; published is what it names.
    const isOurs = wanted.startsWith('@evt/') && files !== undefined
    const own = isOurs ? [...files, 'package.json'].map((file) => sizeOf(join(folder, file))) : [sizeOf(folder)]
    return [...own, ...Object.keys(dependencies).map((each) => add(each, folder))].reduce(
      (sum, bytes) => sum + bytes,
      0,
    )
  }
  return add(name, from)
}

function folderOf(name: string, beside: string): string | undefined {
  for (let folder = beside; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name)
    if (existsSync(join(found, 'package.json'))) return realpathSync(found)
    if (folder === dirname(folder)) return undefined
  }
}

function sizeOf(path: string): number {
  if (!existsSync(path)) return 0
  if (!statSync(path).isDirectory()) return statSync(path).size
  return readdirSync(path)
    .filter((entry) => entry !== 'node_modules')
    .reduce((sum, entry) => sum + sizeOf(join(path, entry)), 0)
}
