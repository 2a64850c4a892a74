"""GLSL of what is not a hand: people and things, lit like the hands."""

from digit.synth.shaders import NOISE

VERTEX = """
#version 330
in vec3 in_position; in vec3 in_normal; in vec3 in_paint;  // lips, ears, eyeball
uniform mat4 clip_from_camera; uniform mat4 camera_from_prop; uniform vec3 stretch;
uniform float is_person; uniform float head; uniform vec4 hair_shape;  // line, thickness, length (mm), beard
uniform float collar;
out vec3 position; out vec3 normal; out vec3 rest; out vec3 paint; out vec2 cover;  // hair and cloth, mm inside
void main() {
    vec3 p = in_position * stretch, n = normalize(in_normal / stretch);
    vec3 q = p / head;
    float hair = 0.78 * (q.y - 60.0) - 0.63 * (q.z - 30.0) - hair_shape.x - 60.0 * in_paint.y;
    float hanging = min(min(-75.0 - q.z, hair_shape.z + q.y), 40.0 - q.y);
    hair = mix(-99.0, max(hair, hanging), is_person);
    float cloth = mix(99.0, -(p.y + 140.0 * head + 0.5 * (p.z + 150.0 * head)) - collar, is_person);
    p += is_person * n * (hair_shape.y * smoothstep(-3.0, 22.0, hair) + 4.0 * smoothstep(-1.0, 1.0, cloth));
    vec4 seen = camera_from_prop * vec4(p, 1.0);
    gl_Position = clip_from_camera * seen;
    position = seen.xyz; normal = mat3(camera_from_prop) * n; rest = mix(in_position * stretch, q, is_person);
    paint = in_paint; cover = vec2(hair, cloth);
}
"""

COLOUR = (
    """
#version 330
in vec3 position; in vec3 normal; in vec3 rest; in vec3 paint; in vec2 cover;
uniform float is_person; uniform float eye_x; uniform vec4 hair_shape; uniform vec3 seed;
uniform vec3 skin; uniform vec3 blush; uniform vec3 lips; uniform vec3 hair; uniform vec3 iris;
uniform vec3 cloth; uniform vec3 cloth2; uniform float cloth_scale; uniform float gloss;
uniform vec3 ambient_up; uniform vec3 ambient_down; uniform vec3 up;
uniform vec3 light_dir[3]; uniform vec3 light_colour[3];
uniform mat4 shadow_from_camera; uniform sampler2DShadow shadow_map; uniform float shadow_strength;
out vec4 colour;
"""
    + NOISE
    + """
void main() {
    vec3 n = normalize(normal);
    vec3 p = rest + seed;
    float coarse = noise(p * 0.04), grain = noise(p * 0.9);
    float is_front = smoothstep(-10.0, 10.0, rest.z);
    vec2 from_eye = vec2(abs(rest.x) - eye_x, rest.y);
    vec3 base = mix(skin, skin * blush, 0.7 * smoothstep(0.45, 0.7, coarse));
    vec2 cheek = vec2(abs(rest.x) - 40.0, rest.y + 38.0);
    base *= mix(vec3(1.0), blush, is_front * exp(-dot(cheek, cheek) / 500.0) + paint.y);
    base *= 0.95 + 0.1 * grain;
    float socket = exp(-dot(from_eye * vec2(0.8, 1.2), from_eye * vec2(0.8, 1.2)) / 260.0);
    base *= 1.0 - 0.22 * is_front * socket;
    float brow_y = rest.y - 23.0 + 0.004 * pow(from_eye.x + 4.0, 2.0);
    float brow = exp(-brow_y * brow_y / 9.0) * smoothstep(30.0, 22.0, abs(from_eye.x - 2.0)) * is_front;
    base = mix(base, hair, 0.8 * brow * (0.6 + 0.6 * grain));
    float jaw = smoothstep(-52.0, -64.0, rest.y - 0.25 * abs(rest.x)) * smoothstep(-70.0, -45.0, rest.z);
    float beard = hair_shape.w * jaw * smoothstep(-135.0, -118.0, rest.y) * (0.5 + grain);
    base = mix(base, hair, clamp(beard, 0.0, 0.95));
    base = mix(base, lips, 0.8 * smoothstep(0.3, 0.7, paint.x));
    base *= 1.0 - 0.5 * paint.x * exp(-pow(rest.y + 74.0, 2.0) / 2.0);
    float r = length(from_eye);
    vec3 eye = mix(vec3(0.02), mix(iris, vec3(0.62, 0.58, 0.55), smoothstep(5.4, 6.4, r)), smoothstep(2.0, 3.0, r));
    float is_eye = step(0.5, paint.z);
    base = mix(base, eye, is_eye);
    base = mix(base, vec3(0.03, 0.02, 0.02), (1.0 - is_eye) * 0.8 * exp(-pow(r - 14.5, 2.0) / 3.0) * is_front
               * step(0.0, rest.y) * step(rest.y, 12.0));
    float strands = noise(vec3(p.x * 0.8, p.y * 0.09, p.z * 0.8));
    float is_hair = smoothstep(-4.0, 5.0, cover.x + 9.0 * (strands - 0.5));
    base = mix(base, hair * (0.55 + 0.9 * strands), is_hair);
    float is_cloth = max(step(0.0, cover.y), 1.0 - is_person);
    vec3 weave = mix(cloth, cloth2, smoothstep(0.45, 0.55, noise(rest * cloth_scale + seed)));
    base = mix(base, weave * (0.8 + 0.4 * mix(coarse, grain, 0.3)), is_cloth);

    vec3 view = normalize(-position);
    n *= sign(dot(n, view) + 1e-6);
    vec3 light = mix(ambient_down, ambient_up, 0.5 + 0.5 * dot(n, up));
    vec3 shine = vec3(0.0);
    vec4 s = shadow_from_camera * vec4(position, 1.0);
    float inside = step(max(abs(s.x - 0.5), abs(s.y - 0.5)), 0.49);
    float lit = mix(1.0, texture(shadow_map, s.xyz - vec3(0.0, 0.0, 0.004)), inside * shadow_strength);
    float is_skin = is_person * (1.0 - is_cloth) * (1.0 - is_hair);
    float glossy = gloss * max(is_skin, 1.0 - is_person) + 0.6 * is_hair;
    for (int i = 0; i < 3; ++i) {
        float cosine = dot(n, light_dir[i]);
        vec3 wrap = vec3(0.35, 0.18, 0.12) * is_skin;
        float shade = i == 0 ? lit : 1.0;
        light += light_colour[i] * clamp((vec3(cosine) + wrap) / (1.0 + wrap), 0.0, 1.0) * shade;
        shine += light_colour[i] * shade * glossy * pow(max(dot(n, normalize(light_dir[i] + view)), 0.0), 22.0);
    }
    // Eye sockets, nostrils and the neck under the chin see little of the sky.
    float deep = is_person * (1.0 - is_cloth) * (0.35 * smoothstep(-112.0, -125.0, rest.y) * step(-150.0, rest.z));
    colour = vec4(base * light * (1.0 - deep) + 0.14 * shine, 1.0);
}
"""
)

LABEL = "#version 330\nout float label;\nvoid main() { label = 0.0; }\n"
