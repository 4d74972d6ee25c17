import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What figures of another machine, or of other versions, cannot be compared without. */
export interface Machine {
  readonly processor: string
  readonly processors: number
  readonly memoryMb: number
  readonly system: string
  readonly node: string
  /** Of the last minute, at the start. */
  readonly load: number
  /** Clients and peers. */
  readonly packages: Readonly<Record<string, string>>
}

const manifest = fileURLToPath(new URL('../package.json', import.meta.url))

export function machine(): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: availableParallelism(),
    memoryMb: Math.round(totalmem() / 1_048_576),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    load: loadavg()[0]!,
    packages: packageVersions(),
  }
}

function packageVersions(): Record<string, string> {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, object>
  const found: Record<string, string> = {}
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    const installed = join(dirname(manifest), 'node_modules', name, 'package.json')
    if (name.startsWith('@') || !existsSync(installed)) continue
    found[name] = (JSON.parse(readFileSync(installed, 'utf8')) as { version: string }).version
  }
  return found
}
