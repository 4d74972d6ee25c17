/** `npm test`: static checks, then every test, then one line that counts them. */
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
} finally {
  rmSync(folder, { recursive: true, force: true })
}
const passed = checks.passed + result.numPassedTests
const failed = checks.failed + Math.max(result.numFailedTests, result.success ? 0 : 1)
console.log(`${passed} passed, ${failed} failed, ${result.numPendingTests} skipped`)
process.exitCode = failed === 0 && jest.status === 0 ? 0 : 1
