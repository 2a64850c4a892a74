"""GLSL of the synthetic hands: one vertex stage, a colour stage and a label stage."""

VERTEX = """
#version 330
in vec3 in_position; in vec3 in_normal; in vec3 in_rest;
in vec4 in_parts0; in vec4 in_parts1; in vec4 in_parts2; in vec4 in_parts3;
in vec4 in_surface;  // nail, finger crease distance (mm), height along the arm (mm), back of the hand (-1..1)
uniform mat4 clip_from_camera;
out vec3 position; out vec3 normal; out vec3 rest; out vec4 surface;
out vec4 parts0; out vec4 parts1; out vec4 parts2; out vec4 parts3;
void main() {
    gl_Position = clip_from_camera * vec4(in_position, 1.0);
    position = in_position; normal = in_normal; rest = in_rest; surface = in_surface;
    parts0 = in_parts0; parts1 = in_parts1; parts2 = in_parts2; parts3 = in_parts3;
}
"""

LABEL = """
#version 330
in vec4 surface; in vec4 parts0; in vec4 parts1; in vec4 parts2; in vec4 parts3;
uniform int first_part; uniform float wrist_border;
out float label;
void main() {
    float score[16] = float[16](parts0.x, parts0.y, parts0.z, parts0.w, parts1.x, parts1.y, parts1.z, parts1.w,
                                parts2.x, parts2.y, parts2.z, parts2.w, parts3.x, parts3.y, parts3.z, parts3.w);
    int best = 0;
    for (int i = 1; i < 16; ++i) if (score[i] > score[best]) best = i;
    int part = surface.z < wrist_border ? 0 : first_part + best;
    label = float(part) / 255.0;
}
"""

NOISE = """
float hash(vec3 p) { p = fract(p * 0.3183099 + 0.1); p *= 17.0; return fract(p.x * p.y * p.z * (p.x + p.y + p.z)); }
float noise(vec3 x) {
    vec3 i = floor(x), f = fract(x); f = f * f * (3.0 - 2.0 * f);
    return mix(mix(mix(hash(i), hash(i + vec3(1,0,0)), f.x),
                   mix(hash(i + vec3(0,1,0)), hash(i + vec3(1,1,0)), f.x), f.y),
               mix(mix(hash(i + vec3(0,0,1)), hash(i + vec3(1,0,1)), f.x),
                   mix(hash(i + vec3(0,1,1)), hash(i + vec3(1,1,1)), f.x), f.y), f.z);
}
"""

COLOUR = (
    """
#version 330
in vec3 position; in vec3 normal; in vec3 rest; in vec4 surface;
uniform vec3 skin; uniform vec3 palm; uniform vec3 blush; uniform vec3 nail; uniform vec3 cloth; uniform vec3 cloth2;
uniform float sleeve_edge; uniform float cloth_scale; uniform float roughness; uniform float bump; uniform float spots;
uniform float creases; uniform float veins; uniform vec2 band; uniform vec3 band_colour; uniform vec4 ring;
uniform vec3 seed;
uniform vec3 ambient_up; uniform vec3 ambient_down; uniform vec3 up;
uniform vec3 light_dir[3]; uniform vec3 light_colour[3];
uniform mat4 shadow_from_camera; uniform sampler2DShadow shadow_map; uniform float shadow_strength;
out vec4 colour;

"""
    + NOISE
    + """
// Depth of the palm's three great creases (0..1); q is the place on the rest palm, mm.
float palm_lines(vec2 q) {
    float life = abs(length(q - vec2(-41.0, 22.0)) - 40.0) + 40.0 * step(q.x, -36.0);
    float u = clamp((q.x + 28.0) / 54.0, 0.0, 1.0), w = clamp((42.0 - q.x) / 54.0, 0.0, 1.0);
    float head = abs(q.y - 62.0 + 20.0 * pow(u, 1.3)) + 9.0 * (step(u, 0.0) + step(1.0, u));
    float heart = abs(q.y - 57.0 - 20.0 * pow(w, 1.6)) + 9.0 * (step(w, 0.0) + step(1.0, w));
    float d = min(life, min(head, heart));
    return exp(-d * d / 1.4);
}
void main() {
    vec3 n = normalize(normal);
    vec3 p = rest + seed;
    float coarse = noise(p * 0.06), fine = noise(p * 0.35), grain = noise(p * 1.3);
    float back = smoothstep(-0.25, 0.35, surface.w + 0.5 * (coarse - 0.5));
    vec3 base = mix(palm, skin, back);
    base = mix(base, base * blush, 0.55 * smoothstep(0.4, 0.75, coarse) + 0.35 * smoothstep(0.55, 0.9, fine));
    base *= 0.93 + 0.14 * grain;
    base *= 1.0 - spots * back * smoothstep(0.72, 0.85, noise(p * 0.5 + 9.0));
    float d = surface.y;
    float fold = exp(-d * d / 2.0) + 0.6 * exp(-(d - 3.0) * (d - 3.0)) + 0.6 * exp(-(d + 3.0) * (d + 3.0));
    fold *= 0.4 + 0.9 * fine;
    base *= mix(vec3(1.0), blush * 0.75, (0.4 + 0.3 * back) * creases * clamp(fold, 0.0, 1.0));
    base = mix(base, base * blush * 0.97, 0.6 * back * exp(-d * d / 60.0));
    float line = creases * (1.0 - back) * palm_lines(rest.xy + 5.0 * vec2(coarse - 0.5, noise(p * 0.05 + 3.0) - 0.5));
    base *= mix(vec3(1.0), blush * 0.8, line);
    float ridge = 1.0 - abs(2.0 * noise(vec3(p.x * 0.07, p.y * 0.028, 1.0)) - 1.0);
    float vein = veins * back * smoothstep(0.82, 0.97, ridge) * step(90.0, abs(d));
    base *= mix(vec3(1.0), vec3(0.86, 0.93, 0.97), vein);
    float is_nail = smoothstep(0.45, 0.6, surface.x);
    base = mix(base, nail, 0.75 * is_nail);
    float is_cloth = step(surface.z, sleeve_edge);
    float gloss = mix(roughness, 0.6, is_nail) * (1.0 - is_cloth);
    vec3 weave = mix(cloth, cloth2, smoothstep(0.45, 0.55, noise(rest * cloth_scale + seed)));
    base = mix(base, weave * (0.85 + 0.3 * grain), is_cloth);

    vec2 from_ring = abs(rest.xy - ring.xy) / ring.zw;
    float is_metal = step(max(from_ring.x, from_ring.y), 1.0);
    float is_band = step(band.x, surface.z) * step(surface.z, band.y) * (1.0 - is_cloth);
    base = mix(base, band_colour, max(is_band, is_metal));
    gloss = mix(gloss, 1.6, max(is_band, is_metal));

    // Bumps from the slope of the noise on the screen: cheap, and enough for pores and folds at webcam size.
    float height = bump * (fine + 0.5 * grain - 1.2 * fold * back - 2.5 * line + 2.0 * vein) * (1.0 - is_nail);
    vec3 dx = dFdx(position), dy = dFdy(position);
    vec3 r1 = cross(dy, n), r2 = cross(n, dx);
    float det = dot(dx, r1);
    vec3 gradient = sign(det) * (dFdx(height) * r1 + dFdy(height) * r2);
    n = normalize(abs(det) * n - clamp(gradient, -0.35 * abs(det), 0.35 * abs(det)));

    vec3 view = normalize(-position);
    vec3 light = mix(ambient_down, ambient_up, 0.5 + 0.5 * dot(n, up));
    vec3 shine = vec3(0.0);
    vec4 s = shadow_from_camera * vec4(position + 1.5 * n, 1.0);
    float lit = 0.0;
    vec2 texel = vec2(1.0) / vec2(textureSize(shadow_map, 0));
    for (int k = 0; k < 4; ++k) {
        vec2 o = vec2(float(k & 1) * 2.0 - 1.0, float(k >> 1) * 2.0 - 1.0) * texel;
        lit += 0.25 * texture(shadow_map, vec3(s.xy + o, s.z - 0.004));
    }
    lit = mix(1.0, lit, shadow_strength);
    for (int i = 0; i < 3; ++i) {
        float cosine = dot(n, light_dir[i]);
        vec3 wrap = vec3(0.35, 0.18, 0.12) * (1.0 - is_cloth);  // light bleeds through skin, red the farthest
        vec3 diffuse = clamp((vec3(cosine) + wrap) / (1.0 + wrap), 0.0, 1.0);
        float shade = i == 0 ? lit : 1.0;
        light += light_colour[i] * diffuse * shade;
        vec3 halfway = normalize(light_dir[i] + view);
        shine += light_colour[i] * shade * gloss * pow(max(dot(n, halfway), 0.0), mix(22.0, 60.0, is_nail));
    }
    float rim = pow(1.0 - max(dot(n, view), 0.0), 4.0);
    colour = vec4(base * light + 0.16 * shine + 0.05 * rim * ambient_up, 1.0);
}
"""
)

SHADOW_VERTEX = """
#version 330
in vec3 in_position;
uniform mat4 clip_from_camera;
void main() { gl_Position = clip_from_camera * vec4(in_position, 1.0); }
"""
SHADOW_FRAGMENT = "#version 330\nvoid main() {}\n"
