namespace Graft.Checkpoints;

/// <summary>A weights file as a user names it: <c>FILE</c>, or <c>FILE#PART</c> for one of several sets of weights in it.</summary>
/// <param name="Path">The file.</param>
/// <param name="Part">What the names of the wanted tensors begin with or contain, such as <c>state_dict_ema</c>; null for the usual choice.</param>
public sealed record WeightsFile(string Path, string? Part)
{
    public static WeightsFile Parse(string text) =>
        text.LastIndexOf('#') is > 0 and var at && !File.Exists(text) ? new(text[..at], text[(at + 1)..]) : new(text, null);
}
