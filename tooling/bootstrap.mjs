/** Brings a fresh clone to where everything can run: the pinned pnpm installs what the lock file names. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const installed = `${root}node_modules/.pnpm/lock.yaml`
const wanted = `${root}pnpm-lock.yaml`

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(wanted).mtimeMs) {
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx'
  execFileSync(npx, ['--yes', packageManager, 'install', '--frozen-lockfile'], { cwd: root, stdio: 'inherit' })
}
