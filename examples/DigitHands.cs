// Both hands from Digit Live in Unity. Put it on an empty object, start Digit Live with --stream udp, press Play.
// Positions and rotations are converted to Unity's left-handed axes (z is negated). Joints are OpenXR's 26.
using System;
using System.Net;
using System.Net.Sockets;
using UnityEngine;

public class DigitHands : MonoBehaviour
{
    public int port = 9870;
    public Transform prefab; // shown at each joint; a sphere when empty

    const int Joints = 26, HeaderBytes = 56, HandBytes = 1640;
    // Where each field of a hand begins (demo/streams/packet.py: HAND).
    const int Left = 0, On = 1, Flags = 2, Score = 28, Pinch = 32, Grab = 48, PalmFacing = 52, RayOrigin = 56,
        RayDirection = 68, Positions = 80, Orientations = 392, Radii = 808, Confidence = 912;

    readonly Transform[,] joints = new Transform[2, Joints];
    readonly byte[] datagram = new byte[65536];
    Socket receiver;

    public readonly bool[] present = new bool[2]; // right, left
    public readonly float[] grab = new float[2];
    public readonly float[,] pinch = new float[2, 4]; // index, middle, ring, little

    void OnEnable()
    {
        receiver = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        receiver.Bind(new IPEndPoint(IPAddress.Loopback, port));
        receiver.Blocking = false;
        for (int side = 0; side < 2; side++)
            for (int joint = 0; joint < Joints; joint++)
            {
                joints[side, joint] = prefab != null
                    ? Instantiate(prefab, transform)
                    : GameObject.CreatePrimitive(PrimitiveType.Sphere).transform;
                joints[side, joint].SetParent(transform, false);
            }
    }

    void OnDisable()
    {
        receiver.Close();
    }

    void Update()
    {
        int length = 0;
        while (receiver.Available > 0) length = receiver.Receive(datagram); // the newest one counts
        if (length < HeaderBytes || datagram[0] != 'D' || datagram[1] != 'G' || datagram[2] != 'T' || datagram[3] != 'L') return;
        int hands = BitConverter.ToUInt16(datagram, 6);
        present[0] = present[1] = false;
        for (int n = 0; n < hands && HeaderBytes + (n + 1) * HandBytes <= length; n++)
            Show(HeaderBytes + n * HandBytes);
        for (int side = 0; side < 2; side++)
            for (int joint = 0; joint < Joints; joint++)
                joints[side, joint].gameObject.SetActive(present[side]);
    }

    void Show(int at)
    {
        int side = datagram[at + Left];
        present[side] = true;
        grab[side] = Float(at + Grab);
        for (int finger = 0; finger < 4; finger++) pinch[side, finger] = Float(at + Pinch + 4 * finger);
        for (int joint = 0; joint < Joints; joint++)
        {
            int p = at + Positions + 12 * joint, q = at + Orientations + 16 * joint;
            joints[side, joint].localPosition = new Vector3(Float(p), Float(p + 4), -Float(p + 8));
            joints[side, joint].localRotation =
                new Quaternion(-Float(q), -Float(q + 4), Float(q + 8), Float(q + 12));
            joints[side, joint].localScale = Vector3.one * (2 * Float(at + Radii + 4 * joint));
        }
    }

    float Float(int at)
    {
        return BitConverter.ToSingle(datagram, at);
    }
}
