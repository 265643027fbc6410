// Draws an equirectangular picture as it is seen from its middle (WebGL 2).

const VERTEX = `#version 300 es
in vec2 corner; out vec2 place;
void main() { place = corner; gl_Position = vec4(corner, 0.0, 1.0); }`;
// A ray through the screen, turned by pitch and then yaw; its longitude and latitude are the place in the picture.
const FRAGMENT = `#version 300 es
precision highp float;
in vec2 place; out vec4 colour;
uniform sampler2D picture; uniform vec2 view; uniform float zoom; uniform float aspect;
const float PI = 3.14159265358979;
void main() {
  vec3 ray = normalize(vec3(place.x * aspect * zoom, place.y * zoom, 1.0));
  ray = vec3(ray.x, ray.y * cos(view.y) + ray.z * sin(view.y), ray.z * cos(view.y) - ray.y * sin(view.y));
  float longitude = atan(ray.x, ray.z) + view.x;
  vec2 at = vec2(fract(longitude / (2.0 * PI) + 0.5), 0.5 - asin(clamp(ray.y, -1.0, 1.0)) / PI);
  colour = textureLod(picture, at, 0.0);
}`;
const MOST_PIXELS = 8192;

/** @param {WebGL2RenderingContext} gl @param {number} kind @param {string} source */
function shader(gl, kind, source) {
  const made = /** @type {WebGLShader} */ (gl.createShader(kind));
  gl.shaderSource(made, source);
  gl.compileShader(made);
  return made;
}

export class Sphere {
  #gl;
  #program;
  yaw = 0;
  pitch = 0;
  /** Tangent of half the vertical field of view. */
  zoom = 0.7;

  /** @param {HTMLCanvasElement} canvas raises where the browser has no WebGL 2 */
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { antialias: false });
    if (gl === null) throw new Error("no WebGL 2");
    this.#gl = gl;
    const program = gl.createProgram();
    gl.attachShader(program, shader(gl, gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, shader(gl, gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "shaders do not link");
    gl.useProgram(program);
    this.#program = program;
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.REPEAT);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  /** @param {Blob} blob */
  async load(blob) {
    const gl = this.#gl;
    const whole = await createImageBitmap(blob);
    const most = Math.min(MOST_PIXELS, gl.getParameter(gl.MAX_TEXTURE_SIZE));
    const bitmap = whole.width > most ? await createImageBitmap(whole, { resizeWidth: most, resizeQuality: "high" }) : whole;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    whole.close();
    bitmap.close();
  }

  draw() {
    const gl = this.#gl;
    const canvas = /** @type {HTMLCanvasElement} */ (gl.canvas);
    canvas.width = canvas.clientWidth * devicePixelRatio;
    canvas.height = canvas.clientHeight * devicePixelRatio;
    gl.viewport(0, 0, canvas.width, canvas.height);
    const at = (/** @type {string} */ name) => gl.getUniformLocation(this.#program, name);
    gl.uniform2f(at("view"), this.yaw, this.pitch);
    gl.uniform1f(at("zoom"), this.zoom);
    gl.uniform1f(at("aspect"), canvas.width / Math.max(1, canvas.height));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}
