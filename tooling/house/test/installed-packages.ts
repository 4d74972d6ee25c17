import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readPackages } from '../src/workspace.ts'

export const root: string = fileURLToPath(new URL('../../..', import.meta.url))

/** A user's project: every package packed as it would be published, unpacked, and what it asks for beside it. */
export interface InstalledPackages {
  readonly folder: string
  /** Every entry of every package: `@evt/core`, `@evt/core/conformance`, … */
  readonly entries: readonly string[]
  /** The size of the tarball of a package. */
  readonly packedBytes: (name: string) => number
  write(file: string, text: string): string
  remove(): void
}

export function installPackages(): InstalledPackages {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'evt-user-')))
  const packedBytes = new Map<string, number>()
  const entries: string[] = []
  const link = (name: string, target: string) => {
    const place = join(folder, 'node_modules', name)
    mkdirSync(dirname(place), { recursive: true })
    rmSync(place, { force: true })
    symlinkSync(realpathSync(target), place)
  }
  for (const { folder: source, manifest } of readPackages(root)) {
    const packed = join(folder, 'packed')
    const answer = execFileSync(
      join(root, 'node_modules/.bin/pnpm'),
      ['pack', '--json', '--pack-destination', packed],
      {
        cwd: source,
        encoding: 'utf8',
      },
    )
    const { filename, size } = JSON.parse(answer) as { filename: string; size: number }
    packedBytes.set(manifest.name, size)
    execFileSync('tar', ['-xzf', filename], { cwd: packed })
    cpSync(join(packed, 'package'), join(folder, 'node_modules', manifest.name), { recursive: true })
    rmSync(packed, { recursive: true })
    const asked = { ...manifest.peerDependencies, ...manifest.dependencies }
    for (const name of Object.keys(asked)) if (!name.startsWith('@evt/')) link(name, join(source, 'node_modules', name))
    entries.push(...Object.keys(manifest.exports ?? {}).map((entry) => `${manifest.name}${entry.slice(1)}`))
  }
  for (const name of ['zod', '@types/node']) link(name, join(root, 'node_modules', name))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  return {
    folder,
    entries,
    packedBytes: (name) => packedBytes.get(name)!,
    write(file, text) {
      writeFileSync(join(folder, file), text)
      return join(folder, file)
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
