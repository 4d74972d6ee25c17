/** Packs the package of the working directory as it would be published, and has publint and attw look into it. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../../node_modules/.bin/', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'evt-pack-'))
try {
  run('pnpm', ['pack', '--pack-destination', folder])
  const tarball = join(folder, readdirSync(folder)[0])
  run('publint', [tarball, '--strict'])
  // Node 10 knows no `exports`; the floor is Node 20.
  run('attw', [tarball, '--profile', 'node16', '--no-color'])
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(join(bin, command), args, { encoding: 'utf8' })
  if (status === 0) return
  console.error(`${command} is not content:\n${stdout}${stderr}`)
  process.exitCode = 1
}
