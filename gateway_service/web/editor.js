// The boxes over a picture: switch, move, resize, draw; by pointer and by keyboard.

const SMALLEST = 4;
const CLICK = 4;
const STEP = 0.01;

const limit = (value, low, high) => Math.min(Math.max(value, low), high);

/** Boxes are {class, xyxy, confidence?, drawn?, suspect?, on} in pixels of the upright picture. */
export class Editor {
  #stage;
  #layer;
  #changed;
  #describe;
  #boxes = [];
  #size = { width: 1, height: 1 };
  #drawClass = null;

  constructor(stage, layer, { changed, describe }) {
    this.#stage = stage;
    this.#layer = layer;
    this.#changed = changed;
    this.#describe = describe;
    stage.addEventListener("pointerdown", (event) => this.#draw(event));
  }

  show(boxes, size) {
    this.#boxes = boxes;
    this.#size = size;
    this.redraw();
  }

  /** Lay all boxes out anew, and give the focus back to the one that had it. */
  redraw() {
    const focused = [...this.#layer.children].indexOf(document.activeElement);
    this.#layer.replaceChildren(...this.#boxes.map((box) => this.#element(box)));
    this.#layer.children[focused]?.focus();
  }

  focus(index) {
    this.#layer.children[index]?.focus();
  }

  /** The next drag over the picture draws a box of `name`; null ends that. */
  drawing(name) {
    this.#drawClass = name;
    this.#stage.classList.toggle("drawing", name !== null);
  }

  get isDrawing() {
    return this.#drawClass !== null;
  }

  /** Put a box of `name` in the middle: how one is drawn without a pointer. */
  addInMiddle(name) {
    const { width, height } = this.#size;
    const side = Math.min(width, height) / 4;
    this.#add(name, [(width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2]);
    this.#layer.lastElementChild.focus();
  }

  remove(index) {
    this.#boxes.splice(index, 1);
    this.redraw();
    this.#changed();
  }

  #add(name, xyxy) {
    this.#boxes.push({ class: name, xyxy, drawn: true, on: true });
    this.redraw();
    this.#changed();
  }

  #element(box) {
    const element = document.createElement("button");
    element.type = "button";
    element.append(document.createElement("i"));
    this.#place(element, box);
    element.addEventListener("pointerdown", (event) => this.#drag(event, element, box));
    element.addEventListener("click", (event) => {
      // A pointer's click is handled where its drag ends.
      if (event.detail === 0) this.#toggle(element, box);
    });
    element.addEventListener("keydown", (event) => this.#key(event, element, box));
    return element;
  }

  #place(element, box) {
    const { width, height } = this.#size;
    const [x1, y1, x2, y2] = box.xyxy;
    element.className = box.on ? "box" : "box off";
    element.setAttribute("aria-pressed", String(box.on));
    element.dataset.label = this.#describe.short(box);
    element.setAttribute("aria-label", this.#describe.long(box));
    Object.assign(element.style, {
      left: `${(100 * x1) / width}%`, top: `${(100 * y1) / height}%`,
      width: `${(100 * (x2 - x1)) / width}%`, height: `${(100 * (y2 - y1)) / height}%`,
    });
  }

  #toggle(element, box) {
    box.on = !box.on;
    this.#place(element, box);
    this.#changed();
  }

  #shift(box, start, dx, dy) {
    const { width, height } = this.#size;
    const [x1, y1, x2, y2] = start;
    const [mx, my] = [limit(dx, -x1, width - x2), limit(dy, -y1, height - y2)];
    box.xyxy = [x1 + mx, y1 + my, x2 + mx, y2 + my];
  }

  #stretch(box, start, dx, dy) {
    const { width, height } = this.#size;
    const [x1, y1, x2, y2] = start;
    box.xyxy = [x1, y1, limit(x2 + dx, x1 + SMALLEST, width), limit(y2 + dy, y1 + SMALLEST, height)];
  }

  #key(event, element, box) {
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const index = this.#boxes.indexOf(box);
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      if (box.drawn) this.remove(index);
      else if (box.on) this.#toggle(element, box);
      return;
    }
    const direction = directions[event.key];
    if (!direction) return;
    event.preventDefault();
    const step = Math.max(1, STEP * Math.max(this.#size.width, this.#size.height));
    const [dx, dy] = direction.map((part) => part * step);
    if (event.shiftKey) this.#stretch(box, box.xyxy, dx, dy);
    else this.#shift(box, box.xyxy, dx, dy);
    this.#place(element, box);
    this.#changed();
  }

  /** Return the factor from pixels of the screen to pixels of the picture. */
  #factor() {
    return this.#size.width / this.#layer.getBoundingClientRect().width;
  }

  #follow(event, target, moved, ended) {
    const from = [event.clientX, event.clientY];
    let far = false;
    target.setPointerCapture(event.pointerId);
    const move = (now) => {
      const [dx, dy] = [now.clientX - from[0], now.clientY - from[1]];
      far ||= Math.hypot(dx, dy) > CLICK;
      if (far) moved(dx * this.#factor(), dy * this.#factor());
    };
    const end = (now) => {
      for (const name of ["pointermove", "pointerup", "pointercancel"]) target.removeEventListener(name, handlers[name]);
      ended(far && now.type === "pointerup", now.type === "pointercancel");
    };
    const handlers = { pointermove: move, pointerup: end, pointercancel: end };
    for (const [name, handler] of Object.entries(handlers)) target.addEventListener(name, handler);
  }

  #drag(event, element, box) {
    if (event.button !== 0 || this.isDrawing) return;
    event.stopPropagation();
    const start = [...box.xyxy];
    const change = event.target.tagName === "I" ? this.#stretch : this.#shift;
    this.#follow(event, element, (dx, dy) => {
      change.call(this, box, start, dx, dy);
      this.#place(element, box);
    }, (wasDrag, cancelled) => {
      if (wasDrag) this.#changed();
      else if (cancelled) box.xyxy = start;
      else this.#toggle(element, box);
    });
  }

  #draw(event) {
    if (event.button !== 0 || !this.isDrawing) return;
    event.preventDefault();
    const name = this.#drawClass;
    const frame = this.#layer.getBoundingClientRect();
    const factor = this.#factor();
    const at = [(event.clientX - frame.left) * factor, (event.clientY - frame.top) * factor];
    const ghost = document.createElement("div");
    ghost.className = "box";
    this.#layer.append(ghost);
    const box = { class: name, xyxy: [...at, ...at], drawn: true, on: true };
    this.#follow(event, this.#stage, (dx, dy) => {
      const to = [limit(at[0] + dx, 0, this.#size.width), limit(at[1] + dy, 0, this.#size.height)];
      box.xyxy = [Math.min(at[0], to[0]), Math.min(at[1], to[1]), Math.max(at[0], to[0]), Math.max(at[1], to[1])];
      this.#place(ghost, box);
    }, (wasDrag) => {
      ghost.remove();
      const [x1, y1, x2, y2] = box.xyxy;
      if (wasDrag && x2 - x1 >= SMALLEST && y2 - y1 >= SMALLEST) this.#add(name, box.xyxy);
    });
  }
}
