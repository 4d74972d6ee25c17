/** `npm test`: static checks, then every test, then the fault suite's quick tier, then one line that counts them. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runChecks } from './check.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const checks = runChecks()
const folder = mkdtempSync(join(tmpdir(), 'evt-test-'))
const report = join(folder, 'report.json')
const jest = spawnSync(
  process.execPath,
  ['node_modules/jest/bin/jest.js', '--json', `--outputFile=${report}`, ...process.argv.slice(2)],
  { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
)
let result = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numFailedTestSuites: 0, success: false }
try {
  result = JSON.parse(readFileSync(report, 'utf8'))
} catch (error) {
  console.error('The test runner wrote no report:', error)
}
// Whoever asks for some tests wants an answer soon.
const faults = process.argv.length > 2 ? { passed: 0, failed: 0 } : runFaults()
rmSync(folder, { recursive: true, force: true })
const passed = checks.passed + result.numPassedTests + faults.passed
const failed = checks.failed + Math.max(result.numFailedTests, result.success ? 0 : 1) + faults.failed
console.log(`${passed} passed, ${failed} failed, ${result.numPendingTests} skipped`)
process.exitCode = failed === 0 && jest.status === 0 ? 0 : 1

/** Each scenario counts as a test. All of them behind the outbox alone; of every broker that must be there, its crash points. */
function runFaults({ EVT_REQUIRE_SERVERS: kinds = '' } = process.env) {
  const stages = { postgres: 'pg', redis: 'redis', nats: 'jetstream', kafka: 'kafka' }
  const required = kinds.split(',').flatMap((kind) => stages[kind.trim()] ?? [])
  const runs = [['--transport', 'memory']]
  if (required.length > 0) runs.push(['F2-BROKER', '--transport', required.join()])
  const sum = { passed: 0, failed: 0 }
  for (const chosen of runs) {
    const { passed, failed } = runFaultSuite(chosen)
    sum.passed += passed
    sum.failed += failed
  }
  return sum
}

function runFaultSuite(chosen) {
  const file = join(folder, 'faults.json')
  const command = ['--conditions=@evt/source', '--import', './tooling/typescript.mjs', 'tooling/faults/src/main.ts']
  rmSync(file, { force: true })
  spawnSync(process.execPath, [...command, ...chosen, '--json', file], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  try {
    const { passed, failed } = JSON.parse(readFileSync(file, 'utf8'))
    return { passed, failed }
  } catch (error) {
    console.error('The fault suite wrote no report:', error)
    return { passed: 0, failed: 1 }
  }
}
