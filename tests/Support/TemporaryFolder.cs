namespace Graft.Testing;

/// <summary>A new empty folder that is deleted with its content when disposed.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string FullName { get; } = Directory.CreateTempSubdirectory("graft-test-").FullName;

    public string File(string relative)
    {
        var path = Path.Combine(FullName, relative);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }

    public void Dispose() => Directory.Delete(FullName, recursive: true);
}
