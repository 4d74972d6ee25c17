import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { onPath, output, provisioned } from './provision.ts'

export interface DebianProgram {
  readonly command: string
  readonly environment: Readonly<Record<string, string>>
}

/**
 * A program of a Debian package, unpacked with the libraries that this machine lacks. Nothing is installed, so no
 * service starts and no rights are needed beyond those of `apt-get update` where the machine has no package lists.
 */
export async function debianProgram(name: string): Promise<DebianProgram> {
  if (onPath('apt-get') === undefined) {
    throw new Error(`${name} is not on this machine, and there is no apt-get to fetch it with`)
  }
  const folder = await provisioned(`debian-${name}`, `${name} (Debian packages)`, async (making) => {
    const packages = await missing(name)
    await output('apt-get', ['download', ...packages], { cwd: making })
    await output('sh', ['-c', 'for file in *.deb; do dpkg-deb -x "$file" . || exit 1; done; rm *.deb'], { cwd: making })
  })
  const command = ['usr/bin', 'usr/sbin'].map((place) => join(folder, place, name)).find((path) => existsSync(path))
  if (command === undefined) throw new Error(`The Debian package ${name} holds no program of that name`)
  const multiarch = (await output('dpkg-architecture', ['-qDEB_HOST_MULTIARCH']).catch(() => fallback())).trim()
  return { command, environment: { LD_LIBRARY_PATH: join(folder, 'usr/lib', multiarch) } }
}

const fallback = () => (process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu')

/** The package and what it needs that is not installed. */
async function missing(name: string): Promise<string[]> {
  const simulate = () => output('apt-get', ['install', '--simulate', '--no-install-recommends', name])
  let plan: string
  try {
    plan = await simulate()
  } catch {
    await output('apt-get', ['update'])
    plan = await simulate()
  }
  const packages = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, found]) => found!)
  return packages.length === 0 ? [name] : packages
}
