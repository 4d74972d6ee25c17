/**
 * Owns one server process: starts it, and stops it once standard input ends, which happens also when the runner is killed.
 * Input: one argument, JSON { command, args, identity, stopSignal, removeFolder }.
 */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'

const { command, args, identity, stopSignal, removeFolder } = JSON.parse(process.argv[2])
const patienceMs = 20_000
const server = spawn(command, args, { ...identity, stdio: ['ignore', 'inherit', 'inherit'] })
const finish = (code) => {
  if (removeFolder) rmSync(removeFolder, { recursive: true, force: true })
  process.exit(code)
}
let stopping = false
server.on('error', (error) => {
  process.stderr.write(`${error}\n`)
  finish(1)
})
server.on('exit', (code) => finish(stopping ? 0 : (code ?? 1)))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE']) process.on(signal, () => undefined)
process.stdin.resume().on('end', () => {
  stopping = true
  server.kill(stopSignal)
  setTimeout(() => server.kill('SIGKILL'), patienceMs)
})
