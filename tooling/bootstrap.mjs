/** Brings a fresh clone to where everything can run: the pinned pnpm installs what the lock file names. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
// Contents, not times: git gives every file it writes the time of the checkout.
const wanted = createHash('sha256')
  .update(readFileSync(`${root}pnpm-lock.yaml`))
  .digest('hex')
const stamp = `${root}node_modules/.installed-lock`

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx'
  execFileSync(npx, ['--yes', packageManager, 'install', '--frozen-lockfile'], { cwd: root, stdio: 'inherit' })
  writeFileSync(stamp, wanted)
}
