using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Graft.Testing;

/// <summary>Reads numpy's .npy arrays and .npz archives (little-endian): the format of the reference numbers.</summary>
internal sealed partial record NumpyArray<T>(int[] Shape, T[] Values) where T : unmanaged;

internal static partial class NumpyFile
{
    public static NumpyArray<T> Load<T>(string path) where T : unmanaged
    {
        using var stream = File.OpenRead(path);
        return Read<T>(stream);
    }

    /// <summary>Reads the array <paramref name="name"/> of an .npz archive.</summary>
    public static NumpyArray<T> Load<T>(string path, string name) where T : unmanaged
    {
        using var archive = ZipFile.OpenRead(path);
        using var stream = archive.GetEntry(name + ".npy")!.Open();
        return Read<T>(stream);
    }

    private static NumpyArray<T> Read<T>(Stream stream) where T : unmanaged
    {
        var start = new byte[10];
        stream.ReadExactly(start);
        if (start[6] != 1) throw new InvalidDataException("Only .npy version 1 is read.");
        var header = new byte[BitConverter.ToUInt16(start, 8)];
        stream.ReadExactly(header);
        var text = Encoding.ASCII.GetString(header);
        var type = DescriptionPattern().Match(text).Groups[1].Value;
        var expected = default(T) switch
        {
            byte => "|u1",
            bool => "|b1",
            int => "<i4",
            long => "<i8",
            float => "<f4",
            double => "<f8",
            _ => throw new NotSupportedException(typeof(T).Name),
        };
        if (type != expected) throw new InvalidDataException($"Expected {expected}, found {text}");
        var shape = ShapePattern().Match(text).Groups[1].Value
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(int.Parse).ToArray();
        var values = new T[shape.Aggregate(1, (product, size) => product * size)];
        stream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
        if (!text.Contains("'fortran_order': True", StringComparison.Ordinal)) return new(shape, values);
        if (shape is not [var rows, var columns]) throw new InvalidDataException($"Expected C order or a matrix, found {text}");
        return new(shape, [.. Enumerable.Range(0, values.Length).Select(index => values[index % columns * rows + index / columns])]);
    }

    [GeneratedRegex(@"'descr':\s*'([^']+)'")]
    private static partial Regex DescriptionPattern();

    [GeneratedRegex(@"'shape':\s*\(([^)]*)\)")]
    private static partial Regex ShapePattern();
}
