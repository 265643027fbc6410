// A standard photo under a name, and a photo to compare with it (dialect 1, as axios or fetch send it).
//
//   node examples/verification/dialect_one.mjs STANDARD PHOTO [URL]
//
// Exit code 0 when both photos show the same thing, 1 when not, 2 when something is wrong.
import { readFileSync } from 'node:fs'

const [standard, photo, url = 'http://127.0.0.1:8000'] = process.argv.slice(2)
const base64 = (path) => readFileSync(path).toString('base64')

async function post(path, data) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(data),
  })
  // Always HTTP 200: the status is in the body.
  const answer = await response.json()
  console.log(path, answer.status, answer.message, answer.result)
  return answer
}

const registered = await post('/auth/stdimg', { data: base64(standard), name: 'example' })
if (!registered.result) process.exit(2)
const compared = await post('/auth/feature', { data: base64(photo), name: 'example' })
process.exit(compared.result ? 0 : compared.status === 200 ? 1 : 2)
