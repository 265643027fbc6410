// A standard photo of a participation, and today's photo for its feed (dialect 2, as axios or fetch send it).
//
//   node examples/verification/dialect_two.mjs PARTICIPATION STANDARD PHOTO [URL]
//
// Exit code 0 when today's photo was taken, 1 when it was refused, 2 when something is wrong.
import { readFileSync } from 'node:fs'

const [participation, standard, photo, url = 'http://127.0.0.1:8000'] = process.argv.slice(2)
const base64 = (path) => `data:image/jpeg;base64,${readFileSync(path).toString('base64')}`

async function post(path, data) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(data),
  })
  const answer = await response.json()
  console.log(path, response.status, answer.data?.errcode ?? '', answer.message)
  return response.status
}

const registered = await post('/auth/stdimg', { participation_id: participation, std_img: base64(standard) })
if (registered !== 200) process.exit(2)
const posted = await post('/auth/feature', {
  participation_id: Number(participation),
  feed_img: base64(photo),
  feed_content: '오늘도 완료',
})
process.exit(posted === 200 ? 0 : posted === 400 ? 1 : 2)
