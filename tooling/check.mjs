/** The checks that need no test runner. Each counts as one test. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const checks = [
  { name: 'types', command: ['node_modules/@typescript/native/bin/tsc', '-p', 'tsconfig.json'] },
  { name: 'types (TypeScript 6)', command: ['node_modules/typescript/bin/tsc6', '-p', 'tsconfig.json'] },
  { name: 'lint', command: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'] },
  {
    name: 'rules of the house',
    command: [
      '--conditions=@evt/source',
      '--import',
      './tooling/typescript.mjs',
      'tooling/house/src/main.ts',
      '--check',
    ],
  },
  {
    name: 'nothing unused',
    command: ['node_modules/knip/bin/knip.js', '--no-progress', '--include', 'files,exports,duplicates'],
  },
  { name: 'build', command: ['tooling/turbo.mjs', 'build'] },
  { name: 'publint and attw of every package', command: ['tooling/turbo.mjs', 'pack-check'] },
]

export function runChecks() {
  let passed = 0
  let failed = 0
  for (const { name, command } of checks) {
    const run = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8' })
    if (run.status === 0) {
      passed += 1
      console.log(`ok  ${name}`)
    } else {
      failed += 1
      console.error(`FAILED  ${name}\n${run.stdout}${run.stderr}`)
    }
  }
  return { passed, failed }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = runChecks().failed === 0 ? 0 : 1
