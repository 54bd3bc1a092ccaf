namespace Graft.Fuzz;

/// <summary>
/// One kind of input: valid files to start from, and what reads them. A kind is one class, listed in <see cref="Program"/>.
/// </summary>
internal abstract class FuzzKind
{
    /// <summary>As on the command line: <c>images</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Most bytes that one input may have the process hold, above what it held before.</summary>
    public virtual long MostBytes => 1_000_000_000;

    /// <summary>Most time that one input may take.</summary>
    public virtual TimeSpan MostTime => TimeSpan.FromSeconds(5);

    /// <summary>Valid inputs, one of each format at least, made in <paramref name="folder"/> or in memory. Each must be read without an error.</summary>
    public abstract IReadOnlyList<Seed> Seeds(string folder);

    /// <summary>Reads an input as Graft's users do.</summary>
    /// <returns>Whether it was accepted; false where it was refused with an exception that is documented. Any other exception is a failure.</returns>
    public abstract bool Read(byte[] input, string folder);

    /// <summary>Words of the format: bytes that are put in whole, because chance would not find them.</summary>
    public virtual IReadOnlyList<byte[]> Words => [];
}

/// <summary>A valid input.</summary>
/// <param name="Name">Its format, for the figures and the name of a failing file.</param>
/// <param name="Bytes">Its content.</param>
internal sealed record Seed(string Name, byte[] Bytes);
