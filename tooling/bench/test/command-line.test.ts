import { spawnSync } from 'node:child_process'
import { sourceRun } from '@evt/servers'

function bench(...given: readonly string[]) {
  const { execArgv, cwd } = sourceRun
  const command = [...execArgv, 'tooling/bench/src/main.ts', ...given]
  return spawnSync(process.execPath, command, { cwd, encoding: 'utf8' })
}

describe('the command line of the benchmarks', () => {
  it('says how it is used', () => {
    const { status, stdout, stderr } = bench('--help')
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toContain('--rounds n')
  })

  it.each([
    [['w99'], 'There is no workload "w99"; --list names them'],
    [['--rounds', 'many'], '--rounds takes a whole number from 1, not "many"'],
    [['--round', '3'], "Unknown option '--round'"],
  ])('answers %j with what is wrong and how to ask, without a stack', (given, sentence) => {
    const { status, stdout, stderr } = bench(...given)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr.startsWith(sentence)).toBe(true)
    expect(stderr).toContain('npm run bench -- [ids] [options]')
    expect(stderr).not.toContain('    at ')
  })
})
