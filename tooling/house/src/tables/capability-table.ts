import { layerOf } from '../layers.ts'
import { filesBelow, type Package } from '../workspace.ts'
import { markdownTable } from './markdown-table.ts'

const none = '–'

/** Which capability exists on which backend, and what there is besides: the folders below `packages` as a table. */
export function capabilityTable(packages: readonly Package[]): string {
  const at = new Map(packages.map((one) => [one.path, one]))
  const adapters = packages.filter((one) => layerOf(one.path) === 'adapter')
  const backends = unique(packages.flatMap((one) => (isOfBackend(one) ? [one.path.split('/')[2]!] : [])))
  const families = unique(
    [...adapters, ...packages.filter((one) => layerOf(one.path) === 'capability')]
      .map((one) => one.path.split('/')[1]!)
      .filter((family) => family !== 'codec'),
  )
  const rows = ['transport', ...families.filter((family) => family !== 'transport')].map((family) => [
    family,
    memoryOf(at, family),
    ...backends.map((backend) => nameAt(at, `packages/${family}/${backend}`)),
  ])
  const table = markdownTable(['capability', 'memory', ...backends], rows)
  const besides = packages.filter(({ path }) => layerOf(path) === 'surface' || path.startsWith('packages/codec/'))
  const names = besides.map((one) => `\`${one.manifest.name}\``)
  return names.length === 0 ? table : `${table}\n\nBesides: ${names.join(', ')}.`
}

function isOfBackend({ path }: Package): boolean {
  return path.startsWith('packages/backend/') || path.startsWith('packages/transport/')
}

function memoryOf(at: ReadonlyMap<string, Package>, family: string): string {
  const owner = at.get(family === 'transport' ? 'packages/core' : `packages/${family}/core`)
  const has = owner !== undefined && filesBelow(`${owner.folder}/src`, '.ts').some((file) => /memory-\w+/.test(file))
  return has ? `\`${owner.manifest.name}\`` : none
}

function nameAt(at: ReadonlyMap<string, Package>, path: string): string {
  const found = at.get(path)
  return found === undefined ? none : `\`${found.manifest.name}\``
}

function unique(words: readonly string[]): readonly string[] {
  return [...new Set(words)].sort()
}
