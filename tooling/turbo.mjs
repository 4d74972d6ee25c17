/** Runs turbo tasks one after the other, on the pinned pnpm and without telemetry: `node tooling/turbo.mjs build pack-check`. */
import { spawnSync } from 'node:child_process'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const env = {
  ...process.env,
  PATH: `${root}node_modules/.bin${delimiter}${process.env.PATH}`,
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
}
// One run each: turbo hashes the inputs of all tasks of a run before the first starts, and what `pack-check` looks at is
// what `build` writes. So a package whose build did not change is not packed again.
for (const task of process.argv.slice(2)) {
  const command = [`${root}node_modules/turbo/bin/turbo`, 'run', task, '--output-logs=errors-only']
  const { status } = spawnSync(process.execPath, command, { cwd: root, env, stdio: 'inherit' })
  if (status !== 0) {
    process.exitCode = status ?? 1
    break
  }
}
