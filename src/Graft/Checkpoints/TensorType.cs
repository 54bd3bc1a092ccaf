using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Graft.Checkpoints;

/// <summary>The element types that checkpoints store; every one is read as float32.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "Element types are named after what they hold.")]
public enum TensorType
{
    Boolean,
    UInt8,
    Int8,
    UInt16,
    Int16,
    UInt32,
    Int32,
    UInt64,
    Int64,
    Float16,
    BFloat16,
    Float32,
    Float64,
}

internal static class TensorTypes
{
    public static int SizeInBytes(this TensorType type) => type switch
    {
        TensorType.Boolean or TensorType.UInt8 or TensorType.Int8 => 1,
        TensorType.UInt16 or TensorType.Int16 or TensorType.Float16 or TensorType.BFloat16 => 2,
        TensorType.UInt32 or TensorType.Int32 or TensorType.Float32 => 4,
        _ => 8,
    };

    /// <summary>Converts little-endian elements, at any alignment, to float32.</summary>
    public static void ToSingle(this TensorType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case TensorType.Float32: source.CopyTo(MemoryMarshal.AsBytes(destination)); break;
            case TensorType.Float16: Convert(source, destination, (Half value) => (float)value); break;
            case TensorType.BFloat16:
                Convert(source, destination, (ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16));
                break;
            case TensorType.Float64: Convert(source, destination, (double value) => (float)value); break;
            case TensorType.Boolean: Convert(source, destination, (byte value) => value == 0 ? 0f : 1f); break;
            case TensorType.UInt8: Convert(source, destination, (byte value) => value); break;
            case TensorType.Int8: Convert(source, destination, (sbyte value) => value); break;
            case TensorType.UInt16: Convert(source, destination, (ushort value) => value); break;
            case TensorType.Int16: Convert(source, destination, (short value) => value); break;
            case TensorType.UInt32: Convert(source, destination, (uint value) => value); break;
            case TensorType.Int32: Convert(source, destination, (int value) => value); break;
            case TensorType.UInt64: Convert(source, destination, (ulong value) => value); break;
            case TensorType.Int64: Convert(source, destination, (long value) => value); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, null);
        }
    }

    private static void Convert<T>(ReadOnlySpan<byte> source, Span<float> destination, Func<T, float> convert)
        where T : unmanaged
    {
        var size = Marshal.SizeOf<T>();
        for (var i = 0; i < destination.Length; i++)
            destination[i] = convert(MemoryMarshal.Read<T>(source.Slice(i * size, size)));
    }
}
