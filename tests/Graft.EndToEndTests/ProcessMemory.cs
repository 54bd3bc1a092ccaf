namespace Graft.EndToEndTests;

/// <summary>A process of Linux and the memory that it uses.</summary>
internal sealed record ProcessMemory(int Id, int Parent, string Command, long Bytes)
{
    /// <param name="folder">Its folder in /proc; of a process that has just ended, all is 0.</param>
    public static ProcessMemory Of(string folder)
    {
        try
        {
            var status = File.ReadLines(Path.Combine(folder, "status")).Select(line => line.Split(':', 2)).ToDictionary(parts => parts[0], parts => parts[1].Trim(), StringComparer.Ordinal);
            var kilobytes = status.TryGetValue("VmRSS", out var used) ? long.Parse(used.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture) : 0;
            return new(
                int.Parse(status["Pid"], System.Globalization.CultureInfo.InvariantCulture), int.Parse(status["PPid"], System.Globalization.CultureInfo.InvariantCulture),
                File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' '), 1024 * kilobytes);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return new(0, 0, "", 0);
        }
    }
}
